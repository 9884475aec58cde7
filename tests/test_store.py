"""The database of a folder: vectors stay with their pictures, and nobody else's file is touched."""

from __future__ import annotations

import gc
import hashlib
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.errors import DedupError
from dedup.provenance import BITS, BITS_TURNED, Provenance
from dedup.store import (
    DATABASE_NAME,
    Catalogue,
    Indexed,
    NotDuplicates,
    database_path,
    folder_lock,
    record_not_duplicates,
    schema,
)

DIM = 8
PROVENANCE = Provenance("fake", "weights-1", "final", 1, DIM)
HIDDEN = replace(PROVENANCE, layer="hidden")


def digest_of(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def vector_of(text: str) -> np.ndarray:
    """A unit vector that belongs to this text and to no other."""
    row = np.random.default_rng(int.from_bytes(digest_of(text)[:8])).normal(size=DIM)
    return (row / np.linalg.norm(row)).astype(np.float32)


def item(path: str, content: str = "", *, reason: str = "", vector: bool = True) -> Indexed:
    """A picture with a content of its own; its vector follows from the content."""
    content = content or path
    rows = () if reason or not vector else (vector_of(content),)
    return Indexed(path, len(content), 17, digest_of(content), 640, 480, "JPEG", 50.0, reason, rows)


@pytest.fixture
def store(folder: Path) -> Iterator[Catalogue]:
    with Catalogue(folder, create=True) as opened:
        yield opened


def loaded(store: Catalogue, provenance: Provenance = PROVENANCE) -> dict[str, np.ndarray]:
    pictures, vectors = store.load(provenance)
    assert vectors.rows.dtype == np.float16
    assert vectors.rows.shape == (len(pictures), DIM)
    assert (vectors.dim, vectors.views, vectors.is_bits) == (DIM, 1, False)
    return {picture.path: vectors.rows[row] for row, picture in enumerate(pictures)}


def assert_belongs(vector: np.ndarray, content: str) -> None:
    np.testing.assert_array_equal(vector, vector_of(content).astype(np.float16))


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def foreign_lines(path: Path) -> list[str]:
    """What a dump says of the table ``images``; our own notes about it are another table."""
    return [line for line in dump(path) if "images" in line and "foreign_tables" not in line]


def made_by_others(path: Path, *statements: str) -> bytes:
    """A database of another program; its bytes."""
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return path.read_bytes()


# -- vectors and their pictures ---------------------------------------------------------


def test_every_vector_belongs_to_its_own_path_whatever_the_order_of_writing(folder: Path, store: Catalogue) -> None:
    # Fault 1: paths by one query, vectors by another; it deleted unrelated pictures.
    names = [f"{number % 7}/{number}.jpg" for number in range(60)]
    chance = random.Random(3)
    content = dict.fromkeys(names, "")
    for turn in range(3):
        chance.shuffle(names)
        for start in range(0, len(names), 7):
            batch = []
            for name in names[start : start + 7]:
                if chance.random() < 0.5:
                    content[name] = f"{name} {turn}"
                batch.append(item(name, content[name] or name))
            store.save(batch, [PROVENANCE])
    with Catalogue(folder) as again:
        pictures, _ = again.load(PROVENANCE)
        assert [picture.path for picture in pictures] == sorted(names)
        for path, vector in loaded(again).items():
            assert_belongs(vector, content[path] or path)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["save", "unreadable", "follow", "touch", "forget"]),
        st.sampled_from("abcdef"),
        st.sampled_from("abcdef"),
        st.integers(0, 2),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_whatever_happens_to_the_rows_each_vector_stays_with_its_content(
    steps: list[tuple[str, str, str, int]],
) -> None:
    expected: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder, Catalogue(Path(folder), create=True) as store:
        for step, one, other, version in steps:
            if step == "save":
                expected[one] = f"{one}{version}"
                store.save([item(one, expected[one])], [PROVENANCE])
            elif step == "unreadable":
                # The same bytes having been read before, the reason cannot lie in them.
                if expected.get(one) != f"{one}{version}":
                    expected.pop(one, None)
                store.save([item(one, f"{one}{version}", reason="damaged")], [PROVENANCE])
            elif step == "follow" and one in expected and other not in expected:
                expected[other] = expected.pop(one)
                store.follow_moves([(one, other, 5)])
            elif step == "touch":
                store.touch([(one, version)])
            elif step == "forget":
                expected.pop(one, None)
                store.forget([one])
        found = loaded(store)
        assert set(found) == set(expected)
        for path, content in expected.items():
            assert_belongs(found[path], content)
        assert store.integrity_problems() == []


def test_a_vector_survives_as_float16(store: Catalogue) -> None:
    rows = np.random.default_rng(1).normal(size=(200, DIM)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    names = [f"{number:03}.jpg" for number in range(200)]
    store.save([replace(item(name), vectors=(row,)) for name, row in zip(names, rows, strict=True)], [PROVENANCE])
    _, vectors = store.load(PROVENANCE)
    wide = vectors.rows.astype(np.float64)
    assert np.abs(wide - rows).max() < 5e-4
    cosines = np.einsum("ij,ij->i", wide, rows) / np.linalg.norm(wide, axis=1)
    assert cosines.min() > 0.999999


def test_a_picture_comes_back_with_everything_known_about_it(folder: Path, store: Catalogue) -> None:
    store.save([Indexed("sub/a.jpg", 11, 22, digest_of("a"), 33, 44, "PNG", 55.5, "", (vector_of("a"),))], [PROVENANCE])
    ((picture,), _) = store.load(PROVENANCE)
    assert (picture.root, picture.path, picture.full_path) == (folder, "sub/a.jpg", folder / "sub/a.jpg")
    assert (picture.size, picture.mtime_ns, picture.width, picture.height) == (11, 22, 33, 44)
    assert (picture.format, picture.digest, picture.contrast) == ("PNG", digest_of("a"), 55.5)


def test_changed_bytes_drop_the_old_vectors_in_every_set(store: Catalogue) -> None:
    for provenance in (PROVENANCE, HIDDEN):
        store.save([item("a.jpg"), item("b.jpg")], [provenance])
    store.save([item("a.jpg", "edited")], [PROVENANCE])
    assert_belongs(loaded(store)["a.jpg"], "edited")
    assert set(loaded(store, HIDDEN)) == {"b.jpg"}


def test_the_same_bytes_saved_again_keep_the_vectors_of_other_sets(store: Catalogue) -> None:
    for provenance in (PROVENANCE, HIDDEN, PROVENANCE):
        store.save([item("a.jpg")], [provenance])
    assert set(loaded(store)) == set(loaded(store, HIDDEN)) == {"a.jpg"}


def test_a_picture_that_became_unreadable_has_no_vector_and_keeps_its_reason(store: Catalogue) -> None:
    store.save([item("a.jpg")], [PROVENANCE])
    store.save([item("a.jpg", "other bytes", reason="damaged: cut off")], [PROVENANCE])
    assert loaded(store) == {}
    assert store.embedded(store.set_id(PROVENANCE)) == set()
    assert store.unreadable() == {"a.jpg": "damaged: cut off"}
    store.save([item("a.jpg", "repaired")], [PROVENANCE])
    assert store.unreadable() == {}
    assert_belongs(loaded(store)["a.jpg"], "repaired")


@pytest.mark.parametrize("digest", [None, "as before"])
def test_a_reason_that_is_not_in_the_bytes_takes_no_vector_away(store: Catalogue, digest: str | None) -> None:
    # A smaller limit, a passing error, a decoder's bad day while another encoder is at work.
    other = replace(PROVENANCE, encoder="other")
    store.save([item("a.jpg")], [PROVENANCE])
    failed = replace(item("a.jpg", reason="more than the limit", vector=False), mtime_ns=-1)
    store.save([failed if digest else replace(failed, digest=None)], [other])
    assert_belongs(loaded(store)["a.jpg"], "a.jpg")
    assert store.unreadable() == {}
    assert store.known()["a.jpg"] != (item("a.jpg").size, -1)


@pytest.mark.parametrize(
    "other",
    [
        replace(PROVENANCE, encoder="other"),
        replace(PROVENANCE, checkpoint="weights-2"),
        replace(PROVENANCE, layer="hidden"),
        replace(PROVENANCE, preprocessing=2),
        replace(PROVENANCE, dtype="float32"),
    ],
    ids="encoder checkpoint layer preprocessing dtype".split(),
)
def test_sets_of_equal_dimension_but_different_provenance_never_mix(store: Catalogue, other: Provenance) -> None:
    # Fault 10: a model of equal dimension was mixed in silently.
    assert store.set_id(PROVENANCE) != store.set_id(other)
    store.save([item("a.jpg"), item("b.jpg")], [PROVENANCE])
    store.save([replace(item("b.jpg"), vectors=(vector_of("other b"),)), item("c.jpg")], [other])
    assert set(loaded(store)) == {"a.jpg", "b.jpg"}
    assert set(loaded(store, other)) == {"b.jpg", "c.jpg"}
    assert_belongs(loaded(store)["b.jpg"], "b.jpg")
    assert_belongs(loaded(store, other)["b.jpg"], "other b")
    assert {(row.provenance, row.pictures) for row in store.sets()} == {(PROVENANCE, 2), (other, 2)}


def test_a_set_is_found_again_by_its_provenance(folder: Path, store: Catalogue) -> None:
    set_id = store.set_id(PROVENANCE)
    with Catalogue(folder) as again:
        assert again.set_id(PROVENANCE) == set_id
        assert len(again.sets()) == 1


# -- several sets, fingerprints ---------------------------------------------------------


def test_one_save_fills_several_sets_each_vector_its_own(store: Catalogue) -> None:
    smaller = replace(PROVENANCE, layer="small", dim=3)
    names = ["a.jpg", "b.jpg", "c.jpg"]
    batch = [replace(item(name), vectors=(vector_of(name), vector_of(f"{name} hidden")[:3])) for name in names]
    store.save([*batch, item("bad.jpg", reason="damaged")], [PROVENANCE, smaller])
    assert {(row.provenance, row.pictures) for row in store.sets()} == {(PROVENANCE, 3), (smaller, 3)}
    for name, vector in loaded(store).items():
        assert_belongs(vector, name)
    pictures, vectors = store.load(smaller)
    assert [picture.path for picture in pictures] == names
    for row, name in enumerate(names):
        np.testing.assert_array_equal(vectors.rows[row], vector_of(f"{name} hidden")[:3].astype(np.float16))
    assert store.unreadable() == {"bad.jpg": "damaged"}


def test_a_set_nothing_was_saved_in_loads_as_empty(store: Catalogue) -> None:
    store.save([item("a.jpg")], [PROVENANCE])
    for provenance in (HIDDEN, replace(PROVENANCE, dim=42, dtype=BITS_TURNED)):
        pictures, vectors = store.load(provenance)
        assert (pictures, len(vectors), vectors.dim) == ([], 0, provenance.dim)
        assert vectors.is_bits == provenance.is_bits
    assert len(store.sets()) == 1, "asking makes no set"


@pytest.mark.parametrize("dim", [8, 42, 64, 196, 256])
@pytest.mark.parametrize("dtype", [BITS, BITS_TURNED])
def test_fingerprints_come_back_bit_for_bit_each_with_its_picture(store: Catalogue, dim: int, dtype: str) -> None:
    prints = Provenance("hash", "size=8", "final", 1, dim, dtype)
    chance = np.random.default_rng(dim)
    signs = chance.choice(np.array([-1.0, 1.0], dtype=np.float32), size=(20, prints.width))
    names = [f"{number:02}.jpg" for number in range(20)]
    order = chance.permutation(20)
    store.save([replace(item(names[number]), vectors=(signs[number],)) for number in order], [prints])
    pictures, vectors = store.load(prints)
    assert [picture.path for picture in pictures] == names
    assert (len(vectors), vectors.dim, vectors.views) == (20, dim, prints.views)
    for view in range(prints.views):
        expected = signs[:, view * dim : (view + 1) * dim]
        np.testing.assert_array_equal(np.sign(vectors.unit(view)), expected)


def test_the_contrast_is_that_of_the_set_that_is_loaded(store: Catalogue) -> None:
    # An encoder that crops may see an even sheet where another sees a picture.
    store.save([item("a.jpg")], [PROVENANCE])
    store.save([replace(item("a.jpg"), contrast=2.5)], [HIDDEN])
    assert [store.load(provenance)[0][0].contrast for provenance in (PROVENANCE, HIDDEN)] == [50.0, 2.5]
    store.save([replace(item("a.jpg"), contrast=60.0)], [HIDDEN])
    assert [store.load(provenance)[0][0].contrast for provenance in (PROVENANCE, HIDDEN)] == [50.0, 60.0]


@pytest.mark.parametrize("length", [0, 2 * DIM - 1, 2 * DIM + 2, 4 * DIM])
def test_a_vector_of_the_wrong_length_is_refused_in_one_sentence(folder: Path, store: Catalogue, length: int) -> None:
    names = ["a.jpg", "b.jpg", "c.jpg"]
    store.save([item(name) for name in names], [PROVENANCE])
    made_by_others(folder / DATABASE_NAME, f"UPDATE embeddings SET vector = zeroblob({length}) WHERE picture_id = 2")
    with pytest.raises(DedupError, match="wrong length") as problem:
        store.load(PROVENANCE)
    assert str(folder / DATABASE_NAME) in problem.value.message
    assert problem.value.message.count("\n") == 0
    assert "--all" in problem.value.remedy
    store.save([item(name) for name in names], [PROVENANCE])  # what --all does
    for path, vector in loaded(store).items():
        assert_belongs(vector, path)


def test_a_load_that_is_refused_says_nothing_more_afterwards(
    folder: Path, store: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A query left half read complained on standard error, once the database was closed, that it is damaged.
    store.save([item("a.jpg"), item("b.jpg")], [PROVENANCE])
    made_by_others(folder / DATABASE_NAME, "UPDATE embeddings SET vector = x'00' WHERE picture_id = 1")
    afterwards: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda one: afterwards.append(str(one.exc_value)))
    with pytest.raises(DedupError, match="wrong length"), Catalogue(folder) as again:
        again.load(PROVENANCE)
    gc.collect()
    assert afterwards == []


# -- a database of the first version ----------------------------------------------------

OF_THE_FIRST_VERSION = """
INSERT INTO pictures(id, path, size, mtime_ns, width, height, format, digest, contrast, several_frames, state, reason)
VALUES (1, 'a.jpg', 5, 17, 640, 480, 'JPEG', x'aa', 33.5, 0, 'ok', ''),
       (2, 'sub/b.jpg', 6, 18, 64, 48, 'GIF', x'bb', 2.25, 1, 'ok', ''),
       (3, 'bad.jpg', 7, 19, 0, 0, '', NULL, 0, 0, 'unreadable', 'damaged: -- cut off; twice'),
       (4, 'gone.jpg', 8, 20, 64, 48, 'PNG', x'dd', 44.5, 0, 'trash', '');
INSERT INTO embedding_sets VALUES (1, 'fake', 'weights-1', 'final', 1, 8, 'float16'),
                                  (2, 'fake', 'weights-1', 'hidden', 1, 8, 'float16');
INSERT INTO verdicts VALUES (1, '2024-01-01', 'not duplicates');
INSERT INTO verdict_members VALUES (1, x'aa', 1), (1, x'bb', 1);
INSERT INTO runs VALUES ('run', '2024-01-01', '[]');
INSERT INTO journal VALUES
    (1, 'run', 'gone.jpg', '.dedup-trash/run/gone.jpg', NULL, 8, 20, x'dd', '/p/a.jpg', x'aa', 0.97, 'similar',
     'moved', '');
"""
EMBEDDED_THEN = [(1, 1, 1), (2, 2, 1), (3, 4, 1), (4, 1, 2)]  # id, picture, set


def of_the_first_version(folder: Path) -> Path:
    """A database as version 1 of the tables left it."""
    with closing(sqlite3.connect(folder / DATABASE_NAME)) as old:
        old.executescript(schema._M001 + OF_THE_FIRST_VERSION)
        for number, picture, in_set in EMBEDDED_THEN:
            vector = vector_of(f"old {number}").astype(np.float16).tobytes()
            old.execute("INSERT INTO embeddings VALUES (?, ?, ?, ?)", (number, picture, in_set, vector))
        old.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        old.execute("PRAGMA user_version = 1")
        old.commit()
    return folder / DATABASE_NAME


def rows_of(path: Path, table: str, columns: str = "*") -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(f"SELECT {columns} FROM {table} ORDER BY 1, 2").fetchall()


def test_a_database_of_the_first_version_keeps_everything_and_its_contrast_moves_to_the_embeddings(
    folder: Path,
) -> None:
    path = of_the_first_version(folder)
    unchanged = dict.fromkeys(("embedding_sets", "verdicts", "verdict_members", "runs"), "*")
    unchanged["journal"] = (
        "id, run_id, path, trash_path, restored_path, size, mtime_ns, digest, keeper, keeper_digest, similarity, tier, "
        "state, reason"
    )
    unchanged["embeddings"] = "id, picture_id, set_id, vector"
    unchanged["journal"] = (
        "id, run_id, path, trash_path, restored_path, size, mtime_ns, digest, keeper, keeper_digest, similarity, tier, "
        "state, reason"
    )
    unchanged["pictures"] = "id, path, size, mtime_ns, width, height, format, digest, several_frames, state, reason"
    before = {table: rows_of(path, table, columns) for table, columns in unchanged.items()}
    assert [len(before[table]) for table in ("pictures", "embeddings", "journal")] == [4, 4, 1]
    with Catalogue(folder) as store:
        assert store.integrity_problems() == []
        pictures, vectors = store.load(PROVENANCE)
        assert [(one.path, one.contrast, one.several_frames) for one in pictures] == [
            ("a.jpg", 33.5, False),
            ("sub/b.jpg", 2.25, True),
        ]
        for row, number in enumerate((1, 2)):
            assert_belongs(vectors.rows[row], f"old {number}")
        assert_belongs(loaded(store, HIDDEN)["a.jpg"], "old 4")
        assert store.unreadable() == {"bad.jpg": "damaged: -- cut off; twice"}
    assert {table: rows_of(path, table, columns) for table, columns in unchanged.items()} == before
    assert rows_of(path, "embeddings", "id, contrast") == [(1, 33.5), (2, 2.25), (3, 44.5), (4, 33.5)]
    with closing(sqlite3.connect(path)) as migrated:
        assert "contrast" not in [row[1] for row in migrated.execute("PRAGMA table_info(pictures)")]
        assert migrated.execute("PRAGMA user_version").fetchone() == (len(schema.MIGRATIONS),)


def test_a_migrated_database_has_the_tables_of_a_new_one(folder: Path, tmp_path: Path) -> None:
    of_the_first_version(folder)
    (tmp_path / "new").mkdir()
    for root in (folder, tmp_path / "new"):
        Catalogue(root, create=True).close()
    columns = (
        'SELECT m.name, c.name, c.type, c."notnull", c.dflt_value FROM sqlite_master m, pragma_table_info(m.name) c'
    )
    shapes = []
    for root in (folder, tmp_path / "new"):
        with closing(sqlite3.connect(root / DATABASE_NAME)) as database:
            shapes.append(sorted(map(str, database.execute(columns))))
    assert shapes[0] == shapes[1]


def test_a_migration_that_fails_leaves_the_first_version_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = of_the_first_version(folder)
    before = dump(path)
    monkeypatch.setattr(schema, "MIGRATIONS", (schema._M001, schema._M002 + "; INSERT INTO no_such_table VALUES (1)"))
    with pytest.raises(DedupError):
        Catalogue(folder)
    assert dump(path) == before
    assert rows_of(path, "pragma_user_version", "user_version, 0") == [(1, 0)]
    monkeypatch.undo()
    with Catalogue(folder) as store:
        assert set(loaded(store)) == {"a.jpg", "sub/b.jpg"}


# -- rows that follow their files -------------------------------------------------------


def test_a_renamed_row_takes_its_vector_along(store: Catalogue) -> None:
    store.save([item("a.jpg"), item("b.jpg")], [PROVENANCE])
    store.follow_moves([("a.jpg", "sub/new.jpg", 99)])
    assert store.known() == {"b.jpg": (5, 17), "sub/new.jpg": (5, 99)}
    assert_belongs(loaded(store)["sub/new.jpg"], "a.jpg")
    assert_belongs(loaded(store)["b.jpg"], "b.jpg")


def test_a_chain_of_moves_in_one_step_mixes_nothing_up(store: Catalogue) -> None:
    store.save([item("a.jpg"), item("b.jpg"), item("c.jpg")], [PROVENANCE])
    store.follow_moves([("c.jpg", "d.jpg", 1), ("b.jpg", "c.jpg", 1), ("a.jpg", "b.jpg", 1)])
    found = loaded(store)
    assert set(found) == {"b.jpg", "c.jpg", "d.jpg"}
    for path, content in (("b.jpg", "a.jpg"), ("c.jpg", "b.jpg"), ("d.jpg", "c.jpg")):
        assert_belongs(found[path], content)


def test_touch_notes_the_new_time_only(store: Catalogue) -> None:
    store.save([item("a.jpg"), item("b.jpg")], [PROVENANCE])
    store.touch([("a.jpg", 1234)])
    assert store.known() == {"a.jpg": (5, 1234), "b.jpg": (5, 17)}
    assert set(loaded(store)) == {"a.jpg", "b.jpg"}


def test_what_is_forgotten_leaves_no_vector_behind(folder: Path, store: Catalogue) -> None:
    store.save([item("a.jpg"), item("b.jpg")], [PROVENANCE])
    store.forget(["a.jpg", "never known.jpg"])
    assert store.known() == {"b.jpg": (5, 17)}
    assert set(loaded(store)) == {"b.jpg"}
    store.close()
    with closing(sqlite3.connect(folder / DATABASE_NAME)) as raw:
        assert raw.execute("SELECT count(*) FROM embeddings").fetchone() == (1,)


ODD_PATHS = [
    "caf\udce9.jpg",
    "\udcff/\udcfe.jpg",
    "emoji 📷.jpg",
    "e\u0301.jpg",
    "new\nline.jpg",
    "'; DROP TABLE pictures; --.jpg",
    "%_.jpg",
]


def test_odd_and_undecodable_paths_come_back_as_they_were(folder: Path, store: Catalogue) -> None:
    store.save([item(path) for path in ODD_PATHS], [PROVENANCE])
    store.touch([(path, 18) for path in ODD_PATHS])
    with Catalogue(folder) as again:
        assert set(again.known()) == set(ODD_PATHS)
        assert {mtime for _, mtime in again.known().values()} == {18}
        assert again.embedded(again.set_id(PROVENANCE)) == set(ODD_PATHS)
        assert set(again.digests_of(ODD_PATHS)) == set(ODD_PATHS)
        for path, vector in loaded(again).items():
            assert_belongs(vector, path)
        again.follow_moves([("caf\udce9.jpg", "cafe\udcff.jpg", 1)])
        again.forget(["\udcff/\udcfe.jpg"])
        assert set(again.known()) == {"cafe\udcff.jpg", *ODD_PATHS[2:]}


# -- databases that are not ours to use -------------------------------------------------


def refused(folder: Path) -> DedupError:
    """The error both ways of opening give."""
    for create in (False, True):
        with pytest.raises(DedupError) as problem:
            Catalogue(folder, create=create)
        assert problem.value.remedy
    return problem.value


def test_a_folder_that_was_never_indexed_says_how_to_index_it(folder: Path) -> None:
    with pytest.raises(DedupError, match="not been indexed") as problem:
        Catalogue(folder)
    assert "index" in problem.value.remedy
    assert list(folder.iterdir()) == []


def test_a_database_of_a_newer_version_is_left_as_it_is(folder: Path) -> None:
    with Catalogue(folder, create=True) as store:
        store.save([item("a.jpg")], [PROVENANCE])
    before = made_by_others(folder / DATABASE_NAME, "PRAGMA user_version = 99", "CREATE TABLE future (x)")
    assert "newer" in refused(folder).message
    assert (folder / DATABASE_NAME).read_bytes() == before


def test_a_database_of_another_program_is_left_as_it_is(folder: Path) -> None:
    before = made_by_others(
        folder / DATABASE_NAME,
        "PRAGMA user_version = 3",
        "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT)",
        "INSERT INTO customers(name) VALUES ('Ada')",
    )
    assert "customers" in refused(folder).message
    assert (folder / DATABASE_NAME).read_bytes() == before
    assert [path.name for path in folder.iterdir()] == [DATABASE_NAME]


@pytest.mark.parametrize("content", [b"this is a text" * 500, b"SQLite format 3\0" + b"\xaa" * 5000, b"\0" * 9000])
def test_a_file_that_is_no_database_is_left_as_it_is(folder: Path, content: bytes) -> None:
    (folder / DATABASE_NAME).write_bytes(content)
    assert "damaged" in refused(folder).message
    assert (folder / DATABASE_NAME).read_bytes() == content


def test_a_folder_in_the_place_of_the_database_is_explained(folder: Path) -> None:
    (folder / DATABASE_NAME).mkdir()
    refused(folder)


@pytest.mark.parametrize("version", [0, 1])
def test_the_table_of_the_tool_this_one_replaces_is_left_as_it_is(folder: Path, version: int) -> None:
    made_by_others(
        folder / DATABASE_NAME,
        f"PRAGMA user_version = {version}",
        "CREATE TABLE images (id INTEGER PRIMARY KEY AUTOINCREMENT, absolute_path TEXT, hash TEXT, "
        "final_embedding_hash BLOB)",
        "INSERT INTO images(absolute_path, hash, final_embedding_hash) VALUES ('/p/a.jpg', 'ab', x'00FF10')",
        "INSERT INTO images(absolute_path, hash, final_embedding_hash) VALUES ('/p/b.jpg', 'cd', x'0102')",
    )
    before = foreign_lines(folder / DATABASE_NAME)
    assert len(before) >= 3
    with Catalogue(folder, create=True) as store:
        assert store.has_foreign_table()
        store.save([item("a.jpg")], [PROVENANCE])
        store.forget(["a.jpg"])
        store.save([item("b.jpg")], [PROVENANCE])
        assert set(loaded(store)) == {"b.jpg"}
    assert foreign_lines(folder / DATABASE_NAME) == before


def test_a_database_of_our_own_holds_no_foreign_table(store: Catalogue) -> None:
    assert not store.has_foreign_table()


# -- where the database lies ------------------------------------------------------------


def test_the_database_lies_in_the_folder(folder: Path, store: Catalogue) -> None:
    assert store.path == database_path(folder) == folder / "image_database.db"
    assert store.path.is_file()


def test_a_read_only_folder_has_its_database_in_the_users_own_place(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = folder.parent / "other pictures"
    other.mkdir()
    really = os.access

    def access(path: str | os.PathLike[str], mode: int) -> bool:
        return really(path, mode) and not (Path(path) in (folder, other) and mode & os.W_OK)

    monkeypatch.setattr(os, "access", access)
    with Catalogue(folder, create=True) as store, folder_lock(folder):
        store.save([item("a.jpg")], [PROVENANCE])
        assert store.path.is_relative_to(home)
    with Catalogue(other, create=True) as store:
        assert store.known() == {}
    assert list(folder.iterdir()) == list(other.iterdir()) == []
    with Catalogue(folder) as store:
        assert set(store.known()) == {"a.jpg"}


# -- soundness --------------------------------------------------------------------------


def test_a_sound_database_has_no_problems(store: Catalogue) -> None:
    store.save([item("a.jpg")], [PROVENANCE])
    assert store.integrity_problems() == []


def test_a_vector_without_a_picture_is_a_problem_that_is_found(folder: Path, store: Catalogue) -> None:
    store.save([item("a.jpg")], [PROVENANCE])
    store.close()
    made_by_others(folder / DATABASE_NAME, "INSERT INTO embeddings(picture_id, set_id, vector) VALUES (999, 1, x'00')")
    with Catalogue(folder) as again:
        assert any("embeddings" in problem for problem in again.integrity_problems())


def test_a_database_with_overwritten_pages_is_a_problem_in_words(folder: Path) -> None:
    with Catalogue(folder, create=True) as store:
        store.save([item(f"{number}.jpg") for number in range(2000)], [PROVENANCE])
    data = bytearray((folder / DATABASE_NAME).read_bytes())
    for page in range(4096, len(data), 4096):
        data[page : page + 2000] = random.Random(page).randbytes(2000)
    (folder / DATABASE_NAME).write_bytes(data)
    for use in (Catalogue.integrity_problems, Catalogue.known, lambda store: store.load(PROVENANCE)):
        assert "malformed" in problem_with(folder, use)


def problem_with(folder: Path, use: Callable[[Catalogue], object]) -> str:
    """What a damaged database answers, in an error or as a result."""
    try:
        with Catalogue(folder) as store:
            return str(use(store))
    except DedupError as problem:
        return str(problem)


def interrupted_in_a_transaction(store: Catalogue) -> None:
    with store.transaction() as db:
        db.execute("DELETE FROM pictures")
        db.execute("INSERT INTO pictures(path, size, mtime_ns, state) VALUES ('half.jpg', 1, 1, 'ok')")
        raise KeyboardInterrupt


def test_an_interrupted_transaction_leaves_nothing(folder: Path, store: Catalogue) -> None:
    store.save([item("before.jpg")], [PROVENANCE])
    with pytest.raises(KeyboardInterrupt):
        interrupted_in_a_transaction(store)
    assert set(store.known()) == {"before.jpg"}
    store.save([item("after.jpg")], [PROVENANCE])
    with Catalogue(folder) as again:
        assert set(again.known()) == {"before.jpg", "after.jpg"}


def test_a_batch_is_saved_whole_or_not_at_all(store: Catalogue) -> None:
    broken = replace(item("b.jpg"), digest=object())  # type: ignore[arg-type]  # no SQLite value
    with pytest.raises(DedupError):
        store.save([item("a.jpg"), broken, item("c.jpg")], [PROVENANCE])
    assert store.known() == {}
    assert loaded(store) == {}


KILLED_IN_A_TRANSACTION = """
import os, sys
from pathlib import Path
from dedup.store import Catalogue
with Catalogue(Path(sys.argv[1])) as store, store.transaction() as db:
    db.execute("DELETE FROM pictures")
    os.kill(os.getpid(), 9)
"""


def test_a_process_killed_in_the_middle_of_a_transaction_leaves_nothing(folder: Path, store: Catalogue) -> None:
    store.save([item("a.jpg")], [PROVENANCE])
    store.close()
    done = subprocess.run([sys.executable, "-c", KILLED_IN_A_TRANSACTION, folder], cwd=PROJECT)
    assert done.returncode == -9
    with Catalogue(folder) as again:
        assert set(again.known()) == {"a.jpg"}
        assert again.integrity_problems() == []


def test_two_readers_and_a_writer_can_have_it_open(folder: Path, store: Catalogue) -> None:
    with Catalogue(folder) as reader, Catalogue(folder) as writer:
        writer.save([item("a.jpg")], [PROVENANCE])
        assert set(reader.known()) == set(store.known()) == {"a.jpg"}


# -- verdicts ---------------------------------------------------------------------------


def verdicts(*folders: Path) -> NotDuplicates:
    stores: Sequence[Catalogue] = [Catalogue(folder, create=True) for folder in folders]
    try:
        return NotDuplicates(stores)
    finally:
        for store in stores:
            store.close()


def test_a_verdict_survives_moves_forgetting_and_a_new_start(folder: Path, store: Catalogue) -> None:
    a, b, c = (digest_of(text) for text in "abc")
    store.save([item("one.jpg", "a"), item("two.jpg", "b")], [PROVENANCE])
    record_not_duplicates(store, [a, b])
    store.follow_moves([("one.jpg", "elsewhere.jpg", 1)])
    store.forget(["two.jpg"])
    store.save([item("two again.jpg", "b")], [PROVENANCE])
    store.close()
    dismissed = verdicts(folder)
    assert dismissed(a, b)
    assert dismissed(b, a)
    assert not dismissed(a, c)
    assert not dismissed(c, c)
    assert not dismissed(a, a)


def test_verdicts_about_different_sets_do_not_run_together(folder: Path, store: Catalogue) -> None:
    a, b, c, d = (digest_of(text) for text in "abcd")
    record_not_duplicates(store, [a, b])
    record_not_duplicates(store, [b, c, d])
    dismissed = verdicts(folder)
    assert dismissed(b, c)
    assert dismissed(c, d)
    assert not dismissed(a, c)


def test_copies_with_the_same_bytes_can_be_called_wanted(folder: Path, store: Catalogue) -> None:
    a, b = digest_of("a"), digest_of("b")
    record_not_duplicates(store, [a, a, b])
    dismissed = verdicts(folder)
    assert dismissed(a, a)
    assert not dismissed(b, b)


def test_a_verdict_in_one_folder_counts_where_that_folder_is_compared(
    folder: Path, tmp_path: Path, store: Catalogue
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    a, b = digest_of("a"), digest_of("b")
    record_not_duplicates(store, [a, b])
    assert verdicts(other, folder)(a, b)
    assert not verdicts(other)(a, b)


# -- the lock ---------------------------------------------------------------------------

HOLD = """
import sys, time
from pathlib import Path
from dedup.store import folder_lock
with folder_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
print("released", flush=True)
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    """A process that holds the folder until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, folder], cwd=PROJECT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_refused_at_once_and_let_in_when_the_first_is_done(folder: Path) -> None:
    with holder(folder) as process:
        with pytest.raises(DedupError, match="Another run") as problem, folder_lock(folder):
            pytest.fail("two processes hold the same folder")
        assert "Wait" in problem.value.remedy
        process.communicate("")
    with folder_lock(folder):
        pass


def test_the_lock_of_a_killed_process_is_free(folder: Path) -> None:
    with holder(folder) as process:
        process.kill()
        process.wait()
        with folder_lock(folder):
            pass


def test_other_folders_are_not_locked(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with folder_lock(folder), folder_lock(other):
        pass


def test_the_lock_is_released_when_the_work_fails(folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), folder_lock(folder):
        raise ZeroDivisionError
    with folder_lock(folder):
        pass
