"""Every promise of the document on ImageDuplicateFinder: two thresholds, their guidance, the backup. One test each."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pexpect
import pytest
from conftest import PROJECT, Recorder, detector, find, index, names_of, resaved, save_picture, tree
from test_menu import Terminal

from dedup import trash, workflow
from dedup.errors import DedupError
from dedup.menu.finding import understand_threshold
from dedup.settings import Settings
from dedup.store import Picture
from dedup.trash import Plan, moves
from dedup.workflow import FindOptions, Found, Wanted

COLOUR = Settings(encoder="color", num_workers=0)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def found_at(folder: Path, **limits: float) -> set[str]:
    """The names of all pictures in the sets that ``find`` lists with these options."""
    options = [word for name, value in limits.items() for word in (f"--{name.replace('_', '-')}", value)]
    done = detector("find", folder, "--json", "--look-alikes", *options)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return {Path(one["path"]).name for group in result["groups"] for one in [group["keeper"], *group["others"]]}


@pytest.fixture(scope="module")
def indexed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture with a near and a far copy among others, in a folder whose name has spaces, indexed; tests copy it."""
    place = tmp_path_factory.mktemp("varied") / "names with spaces"
    source = save_picture(place / "the original.jpg", 4, (480, 360))
    resaved(source, place / "close copy.jpg", 1.0, quality=98)
    resaved(source, place / "small copy.jpg", 0.5, quality=60)
    save_picture(place / "another.jpg", 9, (480, 360))
    save_picture(place / "third.jpg", 12, (480, 360))
    done = detector("index", place, timeout=300.0, DEDUP_HOME=str(tmp_path_factory.mktemp("varied-home")))
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture
def varied(indexed_once: Path, folder: Path) -> Path:
    """A copy of the folder with times kept, so that it counts as indexed."""
    return Path(shutil.copytree(indexed_once, folder / indexed_once.name))


# -- thresholds -----------------------------------------------------------------------------


def test_names_with_spaces_are_no_trouble(varied: Path) -> None:
    assert "close copy.jpg" in found_at(varied, min_cosine=0.9, max_euclidean=0.5)


def test_a_lower_euclidean_threshold_is_stricter(varied: Path) -> None:
    strict, lenient = found_at(varied, max_euclidean=0.1), found_at(varied, max_euclidean=1.0)
    assert strict < lenient
    assert "small copy.jpg" in lenient - strict


def test_a_higher_cosine_threshold_is_stricter(varied: Path) -> None:
    strict, lenient = found_at(varied, min_cosine=0.995), found_at(varied, min_cosine=0.7)
    assert strict < lenient
    assert "small copy.jpg" in lenient - strict


def test_both_must_hold_when_both_are_given(varied: Path) -> None:
    both = found_at(varied, max_euclidean=1.0, min_cosine=0.995)
    assert both == found_at(varied, min_cosine=0.995)
    both = found_at(varied, max_euclidean=0.1, min_cosine=0.5)
    assert both == found_at(varied, max_euclidean=0.1)


def test_no_pair_beyond_them_is_listed_whatever_its_pixels_prove(folder: Path) -> None:
    source = save_picture(folder / "a.jpg", 4, (480, 360))
    resaved(source, folder / "b.jpg", 0.5, quality=60)
    workflow.index(folder, COLOUR, Recorder())
    usual = workflow.find([folder], FindOptions(Wanted("color")), Recorder())
    assert names_of(usual) == [["a.jpg", "b.jpg"]]
    similarity = usual.groups[0].others[0].similarity
    for lowest, sets in ((similarity - 0.001, 1), (similarity + 0.001, 0)):
        options = FindOptions(Wanted("color"), lowest_cosine=lowest, look_alikes=True)
        assert len(workflow.find([folder], options, Recorder()).groups) == sets


def test_the_names_of_the_document_are_understood(varied: Path) -> None:
    done = detector("find", varied, "--json", "--esimilarity_threshold", 0.5, "--csimilarity_threshold", 0.9)
    assert json.loads(done.stdout)["threshold"] == 0.9
    done = detector("find", varied, "--json", "--esimilarity_threshold", 0.5)
    assert json.loads(done.stdout)["threshold"] == 0.875


@pytest.mark.parametrize("command", ["find", "review", "search"])
def test_the_guidance_of_the_document_stands_in_the_help(command: str) -> None:
    text = " ".join(detector(command, "--help").stdout.split())
    assert "sqrt(2 - 2 c)" in text
    assert "strict --min-cosine 0.95 --max-euclidean 0.1" in text
    assert "moderate --min-cosine 0.9 --max-euclidean 0.5" in text
    assert "lenient --min-cosine 0.7 --max-euclidean 1.0" in text
    assert "Lower --max-euclidean or raise --min-cosine" in text


def test_fingerprints_have_no_cosine_and_say_so(folder: Path) -> None:
    save_picture(folder / "a.jpg", 1)
    assert detector("index", folder, "--encoder", "dhash").returncode == 0
    done = detector("find", folder, "--min-cosine", 0.9)
    assert done.returncode == 1
    assert "dhash is a fingerprint: its pictures differ in bits, and have no cosine." in done.stderr


@pytest.mark.parametrize(
    ("typed", "similarity"),
    [("e0.5", 0.875), ("e0,5", 0.875), ("E 0.1", 0.995), ("e1.0", 0.5), ("e0", 1.0), ("0.9", 0.9)],
)
def test_the_menus_threshold_prompt_takes_a_distance(typed: str, similarity: float) -> None:
    assert understand_threshold(typed) == pytest.approx(similarity)


@pytest.mark.parametrize("typed", ["e", "e2", "e-1", "exact", "enan", "einf"])
def test_a_distance_that_cannot_be_is_explained(typed: str) -> None:
    with pytest.raises(DedupError):
        understand_threshold(typed)


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal, which Windows has not")
def test_a_distance_typed_in_the_menu_is_the_similarity_it_means(varied: Path, home: Path) -> None:
    terminal = Terminal(home)
    terminal.open(varied)
    terminal.type("3")
    terminal.see("e0.5 is a Euclidean distance", "Threshold")
    terminal.type("e3")
    terminal.see("must lie between 0 and 1.4142", "Threshold")
    terminal.type("e0.5")
    terminal.see("What may be marked")
    terminal.type("")
    terminal.see("(efficientnet-lite0, threshold 0.875)")
    terminal.child.close(force=True)


def test_for_bits_a_distance_is_no_number() -> None:
    with pytest.raises(DedupError, match="is not a number"):
        understand_threshold("e0.5", most=64)


# -- the backup -----------------------------------------------------------------------------


@pytest.fixture
def found(folder: Path) -> Found:
    """Sets of two folders within one: three copies of a picture, two of another, and one that is alone."""
    for name in ("a.jpg", "sub/a again.jpg"):
        save_picture(folder / name, 1)
    resaved(folder / "a.jpg", folder / "smaller a.jpg", 0.8, quality=90)
    save_picture(folder / "b.jpg", 2)
    save_picture(folder / "sub/b.jpg", 2)
    save_picture(folder / "alone.jpg", 3)
    index(folder)
    return find(folder)


def copies(place: Path) -> dict[str, str]:
    """Original path -> SHA-256 of its copy, of the one backup in a folder, as its list says and the disk has them."""
    (backup,) = place.iterdir()
    with open(backup / "files.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {str(path.relative_to(backup)) for path in backup.rglob("*") if path.is_file()} == {
        "files.csv",
        *(row["copy"] for row in rows),
    }
    assert all(digest(backup / row["copy"]) == row["sha256"] for row in rows)
    return {row["original"]: row["sha256"] for row in rows}


def back_up(found: Found, place: Path, plan: Plan | None = None, sets: tuple[Picture, ...] = ()) -> trash.Backup:
    return workflow.back_up(plan or workflow.plan_marked(found), sets, place, Recorder())


def test_a_backup_holds_every_file_of_the_sets_with_its_times(found: Found, folder: Path, tmp_path: Path) -> None:
    before = tree(folder)
    made = back_up(found, tmp_path / "backup")
    assert made.files == len(copies(tmp_path / "backup")) == 5
    assert copies(tmp_path / "backup") == {
        str(folder / name): content for name, (content, _, _) in before.items() if name != "alone.jpg"
    }
    copied = made.place / f"1-{folder.name}" / "sub" / "b.jpg"
    assert copied.stat().st_mtime_ns == (folder / "sub" / "b.jpg").stat().st_mtime_ns
    assert tree(folder) == before


def test_a_second_backup_stands_beside_the_first(found: Found, tmp_path: Path) -> None:
    assert back_up(found, tmp_path / "backup").place != back_up(found, tmp_path / "backup").place
    assert len(list((tmp_path / "backup").iterdir())) == 2


@pytest.mark.parametrize("what", ["changed", "gone", "a copy that came out wrong"])
def test_a_backup_that_fails_moves_nothing(
    found: Found, folder: Path, tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tmp_path / "plan.json"
    trash.save_plan(workflow.plan_marked(found), plan)
    if what == "changed":
        (folder / "b.jpg").write_bytes(b"other bytes")
    elif what == "gone":
        (folder / "b.jpg").unlink()
    else:
        right = moves.shutil.copyfileobj

        def torn(reading: Any, writing: Any, length: int) -> None:
            right(reading, writing, length)
            writing.write(b"\0")

        monkeypatch.setattr(moves.shutil, "copyfileobj", torn)
        with pytest.raises(DedupError, match="The backup of"):
            back_up(found, tmp_path / "backup")
        return
    before = tree(folder)
    done = detector("remove", "--plan", plan, "--yes", "--backup", tmp_path / "backup")
    assert done.returncode == 1
    assert "The backup of" in done.stderr
    assert "Nothing was removed." in done.stderr
    assert tree(folder) == before


def test_a_backup_within_the_pictures_is_refused(found: Found, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    for place in (folder, folder / "backup", tmp_path / "link" / "backup"):
        with pytest.raises(DedupError, match="inside the picture folder"):
            back_up(found, place)
    assert not (folder / "backup").exists()


def test_a_backup_that_does_not_fit_is_not_begun(found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moves, "free_bytes", lambda folder: 10)
    with pytest.raises(DedupError, match="has 10 left"):
        back_up(found, tmp_path / "backup")
    assert not [path for path in (tmp_path / "backup").rglob("*") if path.is_file()]


def test_a_backup_where_a_file_is_in_the_way_is_one_sentence(found: Found, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(DedupError, match="cannot be made"):
        back_up(found, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_no_path_of_a_plan_leads_out_of_the_backup(found: Found, folder: Path, tmp_path: Path) -> None:
    plan = workflow.plan_marked(found)
    away = tmp_path / "outside.jpg"
    away.write_bytes((folder / "b.jpg").read_bytes())
    stamps = [trash.FileStamp(os.path.join(folder, "..", "outside.jpg"), away.stat().st_size, 0, digest(away))]
    made = trash.back_up(stamps, plan.folders, tmp_path / "backup", Recorder())
    assert [str(path.relative_to(made.place)) for path in made.place.rglob("*.jpg")] == ["elsewhere/1-outside.jpg"]


def test_remove_backs_up_first_and_then_removes(found: Found, folder: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    trash.save_plan(workflow.plan_marked(found), plan)
    before = tree(folder)
    done = detector("remove", "--plan", plan, "--yes", "--backup", tmp_path / "backup")
    assert done.returncode == 0, done.stderr
    assert done.stdout.index("Backed up 5 files") < done.stdout.index("Moved 3 files")
    gone = before.keys() - tree(folder).keys()
    assert len(gone) == 3
    saved = copies(tmp_path / "backup")
    assert {str(folder / name): before[name][0] for name in gone}.items() <= saved.items()


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal, which Windows has not")
def test_review_backs_up_the_whole_set_after_the_yes(varied: Path, home: Path, tmp_path: Path) -> None:
    before = tree(varied)
    plain = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    child = pexpect.spawn(
        sys.executable,
        [str(PROJECT / "detector.py"), "review", str(varied), "--mark", "exact", "--backup", str(tmp_path / "backup")],
        env={**plain, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", "DEDUP_HOME": str(home)},
        encoding="utf-8",
        timeout=60,
        dimensions=(60, 200),
    )
    child.expect_exact("Duplicate Set 1 of 1")
    child.send("2\r")  # nothing is marked by default: take the second picture
    child.send("d\r")
    child.expect_exact("Move 1 file ")
    assert not (tmp_path / "backup").exists()
    child.send("y\r")
    child.expect_exact("Backed up ")
    child.expect_exact("Moved 1 file")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    saved = copies(tmp_path / "backup")
    assert {Path(path).name for path in saved} >= {"the original.jpg", "close copy.jpg"}
    (gone,) = before.keys() - tree(varied).keys()
    assert saved[str(varied / gone)] == before[gone][0]
