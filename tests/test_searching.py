"""search and dupe beyond the examples: which files, databases read without a trace, sets, exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import PROJECT, Recorder, detector, resaved, save_picture

from dedup import searching, workflow
from dedup.cli import main
from dedup.comparison import lowest_cosine, threshold_for
from dedup.encoders import spec
from dedup.encoders.interface import LoadOptions
from dedup.errors import DedupError
from dedup.provenance import Provenance
from dedup.searching import Choice, Reader, sets_of, walk
from dedup.searching.reading import DECODED_AT_ONCE
from dedup.settings import Settings
from dedup.store import Catalogue
from dedup.vectors import Vectors
from dedup.workflow import SearchOptions

NAMES_OF_BYTES = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are text there")
DHASH = Settings(encoder="dhash", num_workers=0)


def walked(*paths: Path | str, **choice: Any) -> list[str]:
    """The names of the files met, in their order."""
    return [os.path.basename(one.shown) for one in walk(map(str, paths), Choice(**choice), Recorder())]


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def state_of(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Name -> (bytes, mtime_ns) of everything in a folder, the tool's own files included."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


# -- which files ----------------------------------------------------------------------------


def test_a_folders_files_come_before_its_subfolders_each_in_order_of_names(folder: Path) -> None:
    put(folder, "b.jpg", "a/2.png", "a/1.png", "a.jpg", "notes.txt")
    assert walked(folder) == ["a.jpg", "b.jpg", "1.png", "2.png"]


def test_a_path_is_shown_as_it_was_typed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, "sub/a.jpg")
    monkeypatch.chdir(folder)
    assert [one.shown for one in walk(["sub"], Choice(), Recorder())] == [os.path.join("sub", "a.jpg")]
    assert [one.shown for one in walk(["./sub/a.jpg"], Choice(), Recorder())] == ["./sub/a.jpg"]


def test_only_takes_endings_in_any_case_and_any_ending_that_is_named(folder: Path) -> None:
    put(folder, "a.JPG", "b.png", "c.dat")
    assert walked(folder, only=frozenset({".jpg"})) == ["a.JPG"]
    assert walked(folder, only=frozenset({".dat"})) == ["c.dat"]


def test_exclude_fits_names_and_paths_within_the_folder(folder: Path) -> None:
    put(folder, "a.jpg", "old/b.jpg", "new/old/c.jpg", "new/d_old.jpg")
    assert walked(folder, exclude=("old",)) == ["a.jpg", "d_old.jpg"]
    assert walked(folder, exclude=("new/*",)) == ["a.jpg", "b.jpg"]
    assert walked(folder, exclude=("*_old.jpg", "old/")) == ["a.jpg"]


def test_hidden_files_are_looked_at_unless_told_not_to(folder: Path) -> None:
    put(folder, ".a.jpg", ".hidden/b.jpg", "c.jpg")
    assert walked(folder) == [".a.jpg", "c.jpg", "b.jpg"]
    assert walked(folder, hidden=False) == ["c.jpg"]


def test_what_lies_in_a_trash_is_never_met_not_even_through_a_link(folder: Path) -> None:
    put(folder, ".dedup-trash/run/a.jpg", "b.jpg")
    (folder / "link").symlink_to(folder / ".dedup-trash")
    (folder / "link.jpg").symlink_to(folder / ".dedup-trash" / "run" / "a.jpg")
    assert walked(folder, follow_links=True) == ["b.jpg"]


def test_links_are_followed_when_told_and_loops_end(folder: Path, tmp_path: Path) -> None:
    put(folder, "a.jpg")
    put(tmp_path / "elsewhere", "b.jpg", "inner/c.jpg")
    (folder / "out").symlink_to(tmp_path / "elsewhere")
    (folder / "z.jpg").symlink_to(tmp_path / "elsewhere" / "inner" / "c.jpg")
    (tmp_path / "elsewhere" / "back").symlink_to(folder)
    (folder / "self").symlink_to(folder)
    assert walked(folder) == ["a.jpg"]
    assert walked(folder, follow_links=True) == ["a.jpg", "z.jpg", "b.jpg"]


def test_a_file_is_met_once_by_whatever_names(folder: Path) -> None:
    put(folder, "sub/a.jpg")
    os.link(folder / "sub" / "a.jpg", folder / "sub" / "b.jpg")
    assert walked(folder, folder / "sub", folder / "sub" / "a.jpg") == ["a.jpg"]


def test_what_cannot_be_looked_at_is_reported_and_the_rest_goes_on(folder: Path) -> None:
    put(folder, "a.jpg")
    report = Recorder()
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    found = list(walk([str(folder / "missing.jpg"), str(folder)], Choice(follow_links=True), report))
    assert [os.path.basename(one.shown) for one in found] == ["a.jpg"]
    assert report.skipped[0].path == str(folder / "missing.jpg")
    assert "No such file" in report.skipped[0].reason


# -- databases ------------------------------------------------------------------------------


def reader() -> Reader:
    return Reader(spec("dhash").load(LoadOptions()), 100, 0, Recorder())


def read(folder: Path) -> tuple[int, list[str]]:
    """(how many vectors came from databases, the names of all files that have one)."""
    one = reader()
    names = [
        Path(file.shown).name for files, _ in one.batches(walk([str(folder)], Choice(), Recorder())) for file in files
    ]
    one.close()
    return one.from_databases, names


@pytest.fixture
def hashed(folder: Path) -> Path:
    """A folder with four pictures, one below, indexed with dhash."""
    for seed in range(3):
        save_picture(folder / f"{seed}.jpg", seed)
    save_picture(folder / "sub" / "3.jpg", 3)
    workflow.index(folder, DHASH, Recorder())
    return folder


def test_a_database_spares_reading_and_only_what_differs_is_decoded(hashed: Path) -> None:
    assert read(hashed) == (4, ["0.jpg", "1.jpg", "2.jpg", "3.jpg"])
    save_picture(hashed / "1.jpg", 50)
    save_picture(hashed / "new.jpg", 51)
    assert read(hashed) == (3, ["0.jpg", "1.jpg", "2.jpg", "new.jpg", "3.jpg"])
    # The database of the folder above knows the subfolder too.
    assert read(hashed / "sub") == (1, ["3.jpg"])


def test_where_a_database_knows_all_pictures_no_heavy_library_is_loaded(hashed: Path) -> None:
    code = f"""
import sys
from dedup.cli import main
assert main(["search", {str(hashed / "0.jpg")!r}, {str(hashed)!r}, "-f", "text"]) == 0
print(sorted({{"torch", "transformers", "matplotlib", "cv2"}} & set(sys.modules)))"""
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_changed_picture_is_compared_as_it_is_now(hashed: Path) -> None:
    shutil.copy2(hashed / "0.jpg", hashed / "2.jpg")
    with workflow.search(
        [str(hashed / "0.jpg")], [str(hashed)], DHASH, SearchOptions(threshold=0), Recorder()
    ) as result:
        assert [Path(hit.path).name for hit in result.hits] == ["0.jpg", "2.jpg"]


def test_search_and_dupe_leave_no_trace(hashed: Path, folder: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    save_picture(bare / "one.jpg", 1)
    before = state_of(hashed), state_of(bare)
    for words in (["search", hashed / "0.jpg", hashed, bare], ["dupe", hashed, bare, "-t", 9]):
        assert detector(*words).returncode == 0
    assert (state_of(hashed), state_of(bare)) == before


def test_a_database_in_use_is_read_and_not_disturbed(hashed: Path) -> None:
    with Catalogue(hashed) as store, store.transaction() as db:
        db.execute("UPDATE pictures SET mtime_ns = 1 WHERE path = '0.jpg'")
        assert read(hashed)[0] == 4  # what is not committed is not there yet


@pytest.mark.parametrize("how", ["damaged", "foreign", "another version", "no such set"])
def test_a_database_that_cannot_be_used_is_no_error(hashed: Path, how: str) -> None:
    database = hashed / "image_database.db"
    if how == "damaged":
        database.write_bytes(database.read_bytes()[:5000] + b"\xff" * 30000)
    else:
        statement = {
            "foreign": "PRAGMA application_id = 7",
            "another version": "PRAGMA user_version = 1",
            "no such set": "UPDATE embedding_sets SET preprocessing = 99",
        }[how]
        with closing(sqlite3.connect(database)) as db:
            db.execute(statement)
            db.commit()
    assert read(hashed) == (0, ["0.jpg", "1.jpg", "2.jpg", "3.jpg"])


def test_a_long_tree_gives_its_first_results_before_it_is_listed(folder: Path) -> None:
    for number in range(400):
        save_picture(folder / f"{number:03}.png", 1, (32, 32))
    met: list[str] = []

    def counted() -> Any:
        for file in walk([str(folder)], Choice(), Recorder()):
            met.append(file.shown)
            yield file

    batches = reader().batches(counted())
    files, _ = next(batches)
    assert len(files) == DECODED_AT_ONCE
    assert len(met) < 400
    assert len(files) + sum(len(rest) for rest, _ in batches) == 400


def test_a_decoder_that_fails_costs_one_picture(folder: Path) -> None:
    for seed in range(3):
        save_picture(folder / f"{seed}.jpg", seed)
    (folder / "1.jpg").write_bytes(b"no picture")
    one = reader()
    files = [file for batch, _ in one.batches(walk([str(folder)], Choice(), Recorder())) for file in batch]
    assert [Path(file.shown).name for file in files] == ["0.jpg", "2.jpg"]
    assert [Path(skipped.path).name for skipped in one.unreadable] == ["1.jpg"]


# -- sets -------------------------------------------------------------------------------------


def bits(*rows: list[int]) -> Vectors:
    return Vectors(np.packbits(np.array(rows, dtype=np.uint8), axis=1)[:, None], len(rows[0]))


def members(vectors: Vectors, lowest: float | None = None) -> list[list[int]]:
    return [[number for number, _ in one.members] for one in sets_of(vectors, lowest)]


def test_a_set_does_not_chain() -> None:
    # Each differs from the next by one bit of eight: the first takes the second, the third stays alone.
    chain = bits([0] * 8, [1] + [0] * 7, [1, 1] + [0] * 6, [1, 1, 1] + [0] * 5)
    assert members(chain) == []
    assert members(chain, 1 - 2 / 8) == [[0, 1], [2, 3]]
    assert members(chain, 1 - 2 * 3 / 8) == [[0, 1, 2, 3]]


def test_equal_ones_are_together_with_all_that_are_near() -> None:
    rows = [[0] * 8, [1] * 8, [0] * 8, [1] + [0] * 7, [1] * 8]
    assert members(bits(*rows)) == [[0, 2], [1, 4]]
    assert members(bits(*rows), 1 - 2 / 8) == [[0, 2, 3], [1, 4]]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("distance", [0, 1, 4, 9])
def test_sets_are_those_of_the_plain_definition(seed: int, distance: int) -> None:
    chance = np.random.default_rng(seed)
    rows = chance.integers(0, 2, (60, 24), dtype=np.uint8)
    rows[20:40] = rows[:20]
    rows[25, :3] ^= 1
    taken: set[int] = set()
    expected = []
    for first in range(len(rows)):
        if first in taken:
            continue
        near = [
            one for one in range(first, len(rows)) if one not in taken and (rows[first] ^ rows[one]).sum() <= distance
        ]
        taken.update(near)
        if len(near) > 1:
            expected.append(sorted(near))
    found = sets_of(Vectors(np.packbits(rows, axis=1)[:, None], 24), 1 - 2 * distance / 24)
    assert [sorted(number for number, _ in one.members) for one in found] == expected


def test_a_hundred_thousand_fingerprints_are_no_matter_of_minutes() -> None:
    chance = np.random.default_rng(1)
    rows = chance.integers(0, 256, (100_000, 1, 8), dtype=np.uint8)
    rows[50_000:60_000] = rows[:10_000]
    rows[50_000:60_000, 0, 0] ^= 1
    rows[90_000:] = rows[90_000]  # ten thousand equal ones
    started = time.monotonic()
    found = sets_of(Vectors(rows, 64), 1 - 2 * 2 / 64)
    assert time.monotonic() - started < 60
    assert len(found) == 10_001


def test_turned_copies_are_near_only_when_asked_for(folder: Path) -> None:
    from PIL import Image

    source = save_picture(folder / "a.png", 5)
    with Image.open(source) as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "b.png")
    options = [SearchOptions(threshold=4, turned=turned) for turned in (False, True)]
    upright, turned = (workflow.dupes([str(folder)], DHASH, one, Recorder()).sets for one in options)
    assert (len(upright), len(turned)) == (0, 1)


# -- the command line -----------------------------------------------------------------------


Run = Callable[..., tuple[int, bytes, str]]


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Runs one command: (exit code, standard output, standard error)."""

    def run(*words: object) -> tuple[int, bytes, str]:
        try:
            code = main([os.fspath(str(word)) for word in words])
        except SystemExit as end:  # argparse, at wrong usage
            code = int(end.code or 0)
        out, err = capfdbinary.readouterr()
        return code, out, err.decode(errors="replace")

    return run


def piped(*words: str, stdin: bytes) -> tuple[int, bytes]:
    """Runs one command with something on standard input: (exit code, standard output)."""
    command = [sys.executable, str(PROJECT / "detector.py"), *words]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=120)
    return done.returncode, done.stdout


def test_exit_codes_are_those_of_grep_and_three_where_it_is_not_sure(run: Run, folder: Path, tmp_path: Path) -> None:
    needle = save_picture(tmp_path / "needle.jpg", 1)
    save_picture(folder / "a.jpg", 2)
    assert run("search", needle, folder)[0] == 0
    code, out, _ = run("search", needle, folder, "-t", 0)
    assert (code, json.loads(out)["matches"]) == (1, [])
    (folder / "bad.jpg").write_bytes(b"no picture")
    code, _, told = run("search", needle, folder, "-t", 0)
    assert (code, "bad.jpg: not a picture" in told) == (3, True)
    assert run("search", needle, folder, needle, "-t", 0)[0] == 0  # something matched: that is sure
    assert run("dupe", folder)[0] == 3


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["search", "{needle}", "{folder}/nowhere"], "There is nothing at"),
        (["search", "{folder}/nowhere.jpg", "{folder}"], "There is nothing at"),
        (["search", "{folder}/bad.jpg", "{folder}"], "cannot be used: not a picture"),
        (["search", "{needle}", "{folder}", "-1"], "Add a threshold"),
        (["search", "{needle}", "{folder}", "--algo-params", "size=3"], "It knows: hash_size"),
        (["search", "{needle}", "{folder}", "--algo-params", "hash_size=99"], "from 2 to 32"),
        (["search", "{needle}", "{folder}", "--whash", "--algo-params", "mode=db5"], "haar or db4"),
        (["search", "{needle}", "{folder}", "-t", "0.5"], "whole number of bits"),
        (["search", "{needle}", "{folder}", "--min-cosine", "0.9"], "have no cosine"),
        (["search", "{needle}", "{folder}", "--encoder", "color", "--max-euclidean", "3"], "between 0 and 1.4142"),
        (["search", "{needle}"], "required: PATH"),
        (["dupe", "{folder}", "-0"], "Add - as a PATH"),
    ],
)
def test_wrong_usage_is_one_sentence_and_ends_with_two(
    run: Run, folder: Path, tmp_path: Path, words: list[str], told: str
) -> None:
    needle = save_picture(tmp_path / "needle.jpg", 1)
    (folder / "bad.jpg").write_bytes(b"no picture")
    code, out, error = run(*(word.format(needle=needle, folder=folder) for word in words))
    assert (code, out) == (2, b"")
    assert told in error
    assert "Traceback" not in error


@NAMES_OF_BYTES
def test_names_come_from_standard_input_line_by_line_or_by_nul(run: Run, folder: Path) -> None:
    first = save_picture(folder / "a.jpg", 1)
    odd = os.path.join(os.fsencode(folder), b"b\nc \xff.jpg")
    shutil.copy2(first, odd)
    by_nul = piped("dupe", "-0", "-", stdin=os.fsencode(first) + b"\0" + odd)
    assert by_nul[0] == 0
    pictures = json.loads(by_nul[1])["sets"][0]["pictures"]
    assert [os.fsencode(one["path"]) for one in pictures] == [os.fsencode(first), odd]
    by_line = piped(
        "dupe", "-", "--exclude", "x*", "-f", "text", stdin=os.fsencode(first) + b"\n" + os.fsencode(folder) + b"\n"
    )
    assert by_line[1].splitlines()[1:3] == [os.fsencode(first), os.fsencode(folder) + rb"/b\nc \udcff.jpg"]


@NAMES_OF_BYTES
def test_csv_keeps_every_byte_of_a_name(run: Run, folder: Path) -> None:
    first = save_picture(folder / "a.jpg", 1)
    odd = os.path.join(os.fsencode(folder), b'b\n"c", \xff.jpg')
    shutil.copy2(first, odd)
    for words in (["search", first, folder, "-t", 0], ["dupe", folder]):
        code, out, _ = run(*words, "--format", "csv")
        rows = list(csv.DictReader(io.StringIO(os.fsdecode(out), newline="")))
        assert code == 0
        assert [os.fsencode(row["path"]) for row in rows] == [os.fsencode(first), odd]


def test_several_references_are_named_beside_each_hit(run: Run, folder: Path, tmp_path: Path) -> None:
    one = save_picture(tmp_path / "one.jpg", 1)
    two = save_picture(tmp_path / "two" / "two.jpg", 2)
    resaved(one, folder / "copy of one.jpg", 0.5)
    resaved(two, folder / "copy of two.jpg", 0.5)
    code, out, _ = run("search", one, "-r", two.parent, folder, "-t", 6, "-f", "text")
    rows = [line.split(" ", 1)[1].split("   <- ") for line in out.decode().splitlines()]
    assert (code, rows) == (0, [[str(folder / f"copy of {ref.stem}.jpg"), str(ref)] for ref in (one, two)])
    best = json.loads(run("search", one, "-r", two, folder, "--top", 1)[1])["matches"]
    assert [(row["reference"], Path(row["path"]).name) for row in best] == [
        (str(one), "copy of one.jpg"),
        (str(two), "copy of two.jpg"),
    ]


def test_an_encoder_prints_similarities_best_first_with_top(run: Run, folder: Path, tmp_path: Path) -> None:
    needle = save_picture(tmp_path / "needle.jpg", 1)
    save_picture(folder / "a.jpg", 2)
    resaved(needle, folder / "b.jpg", 0.5, quality=70)
    code, out, _ = run("search", needle, folder, "--encoder", "color", "--top", 2, "-f", "text")
    rows = [line.split(" ", 1) for line in out.decode().splitlines()]
    assert (code, [Path(path).name for _, path in rows]) == (0, ["b.jpg", "a.jpg"])
    assert 0 <= float(rows[1][0]) < float(rows[0][0]) <= 1
    found = json.loads(run("search", needle, folder, "--encoder", "color", "--max-euclidean", 0.2)[1])
    assert [Path(one["path"]).name for one in found["matches"]] == ["b.jpg"]
    assert found["threshold"] == pytest.approx(0.98)
    one = found["matches"][0]
    assert one["euclidean"] == pytest.approx((2 - 2 * one["similarity"]) ** 0.5, abs=1e-3)


def test_nothing_but_what_was_asked_for_is_said_without_a_terminal(run: Run, folder: Path) -> None:
    first = save_picture(folder / "a.jpg", 1)
    assert run("search", first, folder, "-f", "text") == (0, b"0 " + os.fsencode(first) + b"\n", "")


# -- the two thresholds ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cosine", "euclidean", "lowest"),
    [(None, None, None), (0.9, None, 0.9), (None, 0.5, 0.875), (0.9, 0.5, 0.9), (0.8, 0.5, 0.875), (None, 1.4, 0.02)],
)
def test_both_thresholds_hold_and_the_stricter_decides(
    cosine: float | None, euclidean: float | None, lowest: float | None
) -> None:
    assert lowest_cosine(cosine, euclidean) == (None if lowest is None else pytest.approx(lowest))


def test_the_relation_is_that_of_unit_vectors() -> None:
    chance = np.random.default_rng(3)
    first, second = (row / np.linalg.norm(row) for row in chance.standard_normal((2, 50)))
    distance = float(np.linalg.norm(first - second))
    if distance <= 2**0.5:
        assert lowest_cosine(None, distance) == pytest.approx(float(first @ second))
    assert searching.Hit("", "", float(first @ second)).euclidean == pytest.approx(distance)


def test_a_threshold_given_beside_them_holds_too() -> None:
    made_by = Provenance("color", "none", "final", 1, 512)
    assert threshold_for(0.7, made_by, 0.9) == 0.9
    assert threshold_for(0.95, made_by, 0.9) == 0.95
    assert threshold_for(None, made_by, 0.9) == 0.9  # and not the encoder's 0.995
    with pytest.raises(DedupError, match="have no cosine"):
        threshold_for(None, Provenance("pdq", "none", "final", 1, 256, "bits"), 0.9)
