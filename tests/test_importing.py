"""The table of the tool this one replaces: shown, imported when a sample agrees, and never changed."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
import pytest
import torch
from conftest import (
    FAKE,
    FakeEncoder,
    FakePrepare,
    Recorder,
    detector,
    find,
    index,
    names_of,
    picture,
    resaved,
    save_picture,
)
from PIL import Image

from dedup import images, workflow
from dedup.errors import DedupError
from dedup.settings import Settings
from dedup.store import Catalogue, ForeignVectors
from dedup.workflow import import_foreign

Rows = list[tuple[str, bytes, bytes | None]]
CHOSEN = Settings(num_workers=0)
FAKE_VECTORS = ForeignVectors("hash", 48, 0)


def seen_by_the_other_tool(path: Path) -> np.ndarray:
    """The vector of a picture opened without regard for orientation or transparency."""
    encoder = FakeEncoder()
    with Image.open(path) as image:
        image.draft(None, (8, 8))  # as our decoder does: at the fake encoder's four pixels it matters
        pixels = encoder.prepare(image.convert("RGB"))
    row: np.ndarray = encoder.encode(torch.from_numpy(pixels[None]))[0]
    return row


def write_table(folder: Path, rows: Rows, columns: str = "hash BLOB NOT NULL, final_embedding_hash BLOB") -> None:
    with closing(sqlite3.connect(folder / "image_database.db")) as database, database:
        database.execute(f"CREATE TABLE images (absolute_path TEXT PRIMARY KEY, {columns})")
        marks = ", ".join("?" * (1 + columns.count("BLOB")))
        database.executemany(f"INSERT INTO images VALUES ({marks})", [row[: 1 + columns.count("BLOB")] for row in rows])


def table_of(folder: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "image_database.db")) as database:
        return database.execute("SELECT * FROM images ORDER BY absolute_path").fetchall()


def write_vectors(
    folder: Path,
    vector: Callable[[Path], np.ndarray] = seen_by_the_other_tool,
    name: Callable[[Path], str] = lambda path: path.as_posix(),
) -> None:
    """The table as the other tool would have written it for the pictures of the folder."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".jpg", ".png"))
    write_table(folder, [(name(path), vector(path).astype(np.float32).tobytes(), None) for path in paths])


def run(folder: Path, vectors: ForeignVectors = FAKE_VECTORS, encoder: FakeEncoder | None = None) -> Any:
    return import_foreign(folder, vectors, CHOSEN, Recorder(), encoder=encoder or FakeEncoder())


@pytest.fixture
def theirs(folder: Path) -> Path:
    """Ten pictures, one of them a copy, and the other tool's table."""
    for seed in range(9):
        save_picture(folder / f"{seed}.jpg", seed)
    resaved(folder / "0.jpg", folder / "sub" / "copy.jpg", 0.5, quality=90)
    write_vectors(folder)
    return folder


# -- seen -------------------------------------------------------------------------------


def test_a_table_is_shown_with_its_lengths_and_the_models_they_may_be_of(folder: Path) -> None:
    of = {dim: np.ones(dim, dtype=np.float32).tobytes() for dim in (512, 768, 1024)}
    rows: Rows = [("/a/1.jpg", of[1024], of[768]), ("/a/2.jpg", of[1024], of[768]), ("/a/3.jpg", of[768], None)]
    write_table(folder, rows)
    found = {(one.vectors.column, one.vectors.dim): (one.vectors.rows, one.models) for one in workflow.foreign(folder)}
    assert {key: count for key, (count, _) in found.items()} == {
        ("hash", 1024): 2,
        ("hash", 768): 1,
        ("final_embedding_hash", 768): 2,
    }
    assert ("clip-vit-l14", "hidden") in found["hash", 1024][1]
    assert ("dinov3-vitl16", "final") in found["hash", 1024][1]
    assert ("clip-vit-l14", "final") in found["hash", 768][1]
    assert ("clip-vit-b32", "hidden") in found["hash", 768][1]
    assert all(name not in ("pdq", "dhash") for _, models in found.values() for name, _ in models)


@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        ("hash BLOB NOT NULL", [("/a/1.jpg", b"\0" * 16, None)]),
        ("hash BLOB NOT NULL, final_embedding_hash BLOB", []),
        ("hash BLOB NOT NULL, final_embedding_hash BLOB", [("/a/1.jpg", b"123", None), ("/a/2.jpg", b"", None)]),
        ("thumbnail BLOB", [("/a/1.jpg", b"12345678", None)]),
    ],
    ids=["the first release", "empty", "cut off", "other columns"],
)
def test_an_odd_table_is_survived(folder: Path, columns: str, rows: Rows) -> None:
    write_table(folder, rows, columns)
    assert len(workflow.foreign(folder)) == (1 if columns == "hash BLOB NOT NULL" else 0)


def test_a_folder_without_such_a_table_holds_nothing_foreign(folder: Path) -> None:
    assert workflow.foreign(folder) == []
    save_picture(folder / "a.jpg", 1)
    index(folder)
    assert workflow.foreign(folder) == []


# -- imported ---------------------------------------------------------------------------


def test_vectors_that_agree_become_a_set_and_the_table_stays(theirs: Path) -> None:
    before = table_of(theirs)
    encoder = FakeEncoder()
    result = run(theirs, encoder=encoder)
    assert (result.imported, result.left, result.gone, result.sampled) == (10, 0, 0, 10)
    assert result.similarity > 0.999
    assert encoder.encoded == result.sampled
    assert table_of(theirs) == before
    assert names_of(find(theirs)) == [["0.jpg", "copy.jpg"]]
    # A set as any other: nothing is left to encode.
    assert index(theirs).encoded == 0


def test_each_imported_vector_is_that_of_its_own_picture(theirs: Path) -> None:
    run(theirs)
    with Catalogue(theirs) as store:
        pictures, vectors = store.load(FakeEncoder().provenance)
    assert len(pictures) == 10
    for one, row in zip(pictures, vectors.rows, strict=True):
        assert one.digest == images.digest(one.full_path)
        np.testing.assert_allclose(row, seen_by_the_other_tool(one.full_path), atol=1e-3)


def test_vectors_of_another_model_are_refused_and_nothing_changes(folder: Path) -> None:
    for seed in range(6):
        save_picture(folder / f"{seed}.jpg", seed)
    chance = np.random.default_rng(1)
    write_vectors(folder, lambda path: chance.normal(size=48))
    before = table_of(folder)
    with pytest.raises(DedupError, match="are not those of") as problem:
        run(folder)
    assert "stays as it is" in problem.value.remedy
    assert table_of(folder) == before
    with Catalogue(folder) as store:
        assert store.known() == {}
    assert not workflow.foreign_is_answered(folder)


def test_vectors_mixed_across_a_batch_are_refused(folder: Path) -> None:
    # Fault 11: the other tool's hidden layer gave a picture another vector in every batch.
    for seed in range(8):
        save_picture(folder / f"{seed}.jpg", seed)
    mean = sum(seen_by_the_other_tool(path) for path in folder.glob("*.jpg")) / 8
    write_vectors(folder, lambda path: seen_by_the_other_tool(path) + mean)
    with pytest.raises(DedupError, match="are not those of"):
        run(folder)


@pytest.mark.parametrize("first", [40, 99])
def test_a_table_that_holds_a_second_models_vectors_is_refused_wherever_they_are(folder: Path, first: int) -> None:
    for seed in range(100):
        save_picture(folder / f"{seed:03}.jpg", seed, (64, 48))
    chance = np.random.default_rng(1)
    mixed = {f"{seed:03}.jpg" for seed in range(first, 100)} if first < 90 else {f"{seed:03}.jpg" for seed in range(10)}
    write_vectors(folder, lambda path: chance.normal(size=48) if path.name in mixed else seen_by_the_other_tool(path))
    with pytest.raises(DedupError, match="are not those of"):
        run(folder)


def test_one_wrong_vector_that_was_looked_at_refuses_the_table(theirs: Path) -> None:
    with closing(sqlite3.connect(theirs / "image_database.db")) as database, database:
        path, other = f"{theirs.as_posix()}/5.jpg", seen_by_the_other_tool(theirs / "6.jpg").tobytes()
        database.execute("UPDATE images SET hash = ? WHERE absolute_path = ?", (other, path))
    with pytest.raises(DedupError, match="1 of 10"):
        run(theirs)


@pytest.mark.parametrize("elsewhere", ["/backup/5.jpg", "5.jpg", "", "/5.jpg", r"C:\5.jpg"])
def test_rows_of_files_elsewhere_do_not_stand_for_those_of_the_folder(theirs: Path, elsewhere: str) -> None:
    with closing(sqlite3.connect(theirs / "image_database.db")) as database, database:
        other = seen_by_the_other_tool(theirs / "6.jpg").tobytes()
        database.execute("INSERT INTO images VALUES (?, ?, NULL)", (elsewhere, other))
    assert run(theirs).imported == 10
    with Catalogue(theirs) as store:
        pictures, vectors = store.load(FakeEncoder().provenance)
    for one, row in zip(pictures, vectors.rows, strict=True):
        np.testing.assert_allclose(row, seen_by_the_other_tool(one.full_path), atol=1e-3)


def test_without_knowing_when_the_table_was_written_nothing_is_imported(theirs: Path) -> None:
    workflow.foreign(theirs)
    with closing(sqlite3.connect(theirs / "image_database.db")) as database, database:
        database.execute("DELETE FROM foreign_tables")
    with pytest.raises(DedupError, match="was never noted"):
        run(theirs)


def test_vectors_of_another_length_are_refused(theirs: Path) -> None:
    longer = FakeEncoder(replace(FAKE, dim=75), FakePrepare(5))
    with pytest.raises(DedupError, match="gives 75"):
        run(theirs, encoder=longer)


@pytest.mark.parametrize("old", ["/mnt/old disk/pictures", r"E:\Downloads\Source1"])
def test_a_folder_that_has_moved_since_is_found_again(folder: Path, old: str) -> None:
    for seed in range(3):
        save_picture(folder / "one" / f"{seed}.jpg", seed)
        save_picture(folder / "two" / f"{seed}.jpg", seed + 10)
    inside = PureWindowsPath if "\\" in old else Path
    write_vectors(folder, name=lambda path: str(inside(old) / inside(*path.relative_to(folder).parts)))
    assert run(folder).imported == 6
    with Catalogue(folder) as store:
        pictures, vectors = store.load(FakeEncoder().provenance)
    for one, row in zip(pictures, vectors.rows, strict=True):
        np.testing.assert_allclose(row, seen_by_the_other_tool(one.full_path), atol=1e-3)


def test_what_the_other_tool_saw_differently_is_left_to_be_indexed(theirs: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    picture(50).save(theirs / "turned.jpg", exif=turned)
    clear = picture(51).convert("RGBA")
    clear.putalpha(90)
    clear.save(theirs / "clear.png")
    (theirs / "image_database.db").unlink()
    write_vectors(theirs)
    result = run(theirs)
    assert (result.imported, result.left) == (10, 2)
    encoder = FakeEncoder()
    assert index(theirs, encoder=encoder).encoded == encoder.encoded == 2


def test_a_picture_changed_since_the_table_was_written_is_left_to_be_indexed(theirs: Path) -> None:
    save_picture(theirs / "3.jpg", 300)
    later = (theirs / "image_database.db").stat().st_mtime_ns + 5_000_000_000
    os.utime(theirs / "3.jpg", ns=(later, later))
    result = run(theirs)
    assert (result.imported, result.left) == (9, 1)


def test_a_picture_that_is_gone_is_counted(theirs: Path) -> None:
    (theirs / "4.jpg").unlink()
    result = run(theirs)
    assert (result.imported, result.gone) == (9, 1)


def test_what_was_encoded_here_already_is_not_overwritten(theirs: Path) -> None:
    # Indexed first, imported later: the table may be older than the picture, our vector is not.
    index(theirs)
    assert run(theirs).imported == 0
    assert names_of(find(theirs)) == [["0.jpg", "copy.jpg"]]


def test_a_vector_that_is_no_direction_is_encoded_anew(theirs: Path) -> None:
    with closing(sqlite3.connect(theirs / "image_database.db")) as database, database:
        for name, value in (("7.jpg", 0.0), ("8.jpg", np.nan)):
            blob = np.full(48, value, dtype=np.float32).tobytes()
            database.execute(
                "UPDATE images SET hash = ? WHERE absolute_path = ?", (blob, f"{theirs.as_posix()}/{name}")
            )
    for seed in range(20, 50):
        save_picture(theirs / f"{seed}.jpg", seed)
    with closing(sqlite3.connect(theirs / "image_database.db")) as database, database:
        for seed in range(20, 50):
            path = theirs / f"{seed}.jpg"
            database.execute(
                "INSERT INTO images VALUES (?, ?, NULL)", (path.as_posix(), seen_by_the_other_tool(path).tobytes())
            )
    assert run(theirs).imported == 40
    with Catalogue(theirs) as store:
        pictures, vectors = store.load(FakeEncoder().provenance)
    for one, row in zip(pictures, vectors.rows, strict=True):
        np.testing.assert_allclose(row, seen_by_the_other_tool(one.full_path), atol=1e-3)


def test_a_person_is_asked_once_until_the_table_grows(theirs: Path) -> None:
    assert not workflow.foreign_is_answered(theirs)
    workflow.decline_foreign(theirs)
    assert workflow.foreign_is_answered(theirs)
    with closing(sqlite3.connect(theirs / "image_database.db")) as database, database:
        database.execute("INSERT INTO images VALUES ('/more.jpg', x'00000000', NULL)")
    assert not workflow.foreign_is_answered(theirs)


# -- the command, with the real default encoder -----------------------------------------


@pytest.fixture
def made_by_the_default(real_folder: Path, tmp_path: Path) -> Path:
    """Pictures and a foreign table whose vectors are those of the default encoder."""
    target = tmp_path / "theirs"
    shutil.copytree(real_folder, target)
    with Catalogue(real_folder) as store:
        pictures, vectors = store.load(store.sets()[0].provenance)
    (target / "image_database.db").unlink()
    write_table(
        target,
        [
            ((target / one.path).as_posix(), (7 * row.astype(np.float32)).tobytes(), None)
            for one, row in zip(pictures, vectors.rows, strict=True)
        ],
    )
    return target


def test_the_command_shows_asks_and_imports(made_by_the_default: Path) -> None:
    shown = detector("import", made_by_the_default)
    assert shown.returncode == 0
    assert "8 vectors of 1280 numbers" in shown.stdout
    assert "efficientnet-lite0" in shown.stdout
    refused = detector("import", made_by_the_default, "--encoder", "efficientnet-lite0")
    assert refused.returncode == 1
    assert "--yes" in refused.stderr
    wrong = detector("import", made_by_the_default, "--encoder", "sscd", "--yes")
    assert wrong.returncode == 1
    assert "sscd" in wrong.stderr
    done = detector("import", made_by_the_default, "--encoder", "efficientnet-lite0", "--yes")
    assert done.returncode == 0, done.stderr
    assert "imported 8 vectors" in done.stdout
    again = detector("index", made_by_the_default)
    assert "8 pictures indexed, 0 of them now" in again.stdout
    found = detector("find", made_by_the_default)
    assert "exact.jpg" in found.stdout
    assert len(table_of(made_by_the_default)) == 8


def test_the_command_says_when_there_is_nothing_to_import(folder: Path) -> None:
    done = detector("import", folder)
    assert done.returncode == 0
    assert "no table of another tool" in done.stdout
