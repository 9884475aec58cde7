"""What was removed stays known: history, undo of single files, purge by age; and taking sets elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import Recorder, detector, find, save_picture, tree
from test_trash import copied, many_copies, planned, reasons, remove, two_pairs

from dedup import trash, workflow
from dedup.errors import DedupError
from dedup.store import Catalogue
from dedup.trash import Outcome, moment_before, save_plan, with_keepers


def undo(folder: Path, run_id: str | None = None, *files: str) -> Outcome:
    return workflow.undo(folder, run_id, Recorder(), files)


def aged(folder: Path, run_id: str, days: int) -> None:
    """Let a run have started so many days ago."""
    started = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")
    with Catalogue(folder) as store, store.transaction() as db:
        db.execute("UPDATE runs SET started_at = ? WHERE id = ?", (started, run_id))


def test_history_lists_every_run_whatever_became_of_it(folder: Path) -> None:
    plan = two_pairs(folder)
    assert workflow.history(folder) == []
    undone = remove(plan).run_id
    undo(folder)
    (folder / "b.png").unlink()
    purged = remove(plan).run_id
    workflow.purge(folder, None, Recorder())
    told = workflow.history(folder)
    assert [(run.id, run.how, run.files, run.states) for run in told] == [
        (purged, "trash", 1, {"failed": 1, "purged": 1}),
        (undone, "trash", 2, {"restored": 2}),
    ]
    entries = workflow.files_of_run(folder, purged)
    assert {entry.path: (entry.state, entry.reason) for entry in entries} == {
        "sub/a copy.png": ("purged", ""),
        "sub/b copy.png": ("failed", "its keeper is gone"),
    }
    with pytest.raises(DedupError, match="No run x"):
        workflow.files_of_run(folder, "x")


def test_single_files_come_back_and_the_rest_stays_to_be_undone(folder: Path) -> None:
    before = tree(folder)
    plan = many_copies(folder, 4)
    before = tree(folder)
    run = remove(plan).run_id
    assert undo(folder, run, "a copy 01.png").files == 1
    assert set(tree(folder)) == {"a.png", "a copy 01.png"}
    assert undo(folder, run, str(folder / "a copy 02.png"), "a copy 02.png").files == 1
    alias = folder.parent / "alias"
    alias.symlink_to(folder)
    assert undo(folder, run, str(alias / "a copy 03.png")).files == 1
    for unknown in ("a copy 01.png", "a.png", "../a copy 00.png", "", "\0"):
        with pytest.raises(DedupError, match="not one of the files"):
            undo(folder, run, unknown)
    assert workflow.history(folder)[0].states == {"moved": 1, "restored": 3}
    assert undo(folder).files == 1
    assert tree(folder) == before


def test_purge_by_age_takes_the_old_runs_only(folder: Path) -> None:
    plan = two_pairs(folder)
    old = trash.execute(
        trash.Plan(plan.encoder, plan.threshold, plan.folders, plan.removals[:1]),
        lambda root: Catalogue(root, create=True),
        Recorder(),
    ).run_id
    new = trash.execute(
        trash.Plan(plan.encoder, plan.threshold, plan.folders, plan.removals[1:]),
        lambda root: Catalogue(root, create=True),
        Recorder(),
    ).run_id
    aged(folder, old, 31)
    aged(folder, new, 29)
    done = detector("purge", folder, "--older-than", "30d", "--yes")
    assert done.returncode == 0, done.stderr
    assert [run.id for run in workflow.runs(folder)] == [new]
    again = detector("purge", folder, "--older-than", "30d", "--yes")
    assert "more than 30d ago" in again.stdout
    for wrong in ("30", "d", "-3d", "3 weeks", "1.5d", "", "9999999999y"):
        refused = detector("purge", folder, f"--older-than={wrong}", "--yes")
        assert refused.returncode == 1
        assert "not an age" in refused.stderr
    assert [run.id for run in workflow.runs(folder)] == [new]


@pytest.mark.parametrize(("age", "days"), [("0d", 0), ("30d", 30), ("2w", 14), ("6M", 180), ("1y", 365)])
def test_an_age_is_a_number_and_a_unit(age: str, days: int) -> None:
    now = datetime(2024, 5, 1, tzinfo=UTC)
    assert moment_before(age, now) == now - timedelta(days=days)


def test_history_as_json_names_every_file_so_that_undo_can_be_given_it(folder: Path, tmp_path: Path) -> None:
    odd = folder / os.fsdecode(b"a \xe9\x1b[31m (1).png")
    save_picture(folder / os.fsdecode(b"a \xe9\x1b[31m.png"), 1, (60, 40))
    copied(folder / os.fsdecode(b"a \xe9\x1b[31m.png"), odd)
    save_plan(planned(folder), tmp_path / "plan.json")
    assert detector("remove", "--plan", tmp_path / "plan.json", "--yes").returncode == 0
    [run] = json.loads(detector("history", folder, "--json").stdout)
    assert (run["how"], run["count"], run["undoable"], run["states"]) == ("trash", 1, 1, {"moved": 1})
    [detail] = json.loads(detector("history", folder, "--run", run["run"], "--json").stdout)
    shown = detector("history", folder, "--run", run["run"]).stdout
    assert "\x1b" not in shown
    assert "in the trash" in shown
    path = detail["files"][0]["path"]
    assert path not in [os.fspath(one) for one in folder.iterdir()]
    done = detector("undo", folder, "--run", run["run"], "--file", path)
    assert done.returncode == 0, done.stderr
    assert os.path.exists(path)
    assert "1 brought back" in detector("history", folder).stdout


def test_deleting_without_a_person_needs_to_be_said_twice(folder: Path, tmp_path: Path) -> None:
    save_plan(two_pairs(folder), tmp_path / "plan.json")
    before = tree(folder)
    words = ("remove", "--plan", tmp_path / "plan.json", "--to", "delete")
    assert detector(*words).returncode == 1
    refused = detector(*words, "--yes")
    assert (refused.returncode, "--for-good" in refused.stderr) == (1, True)
    assert tree(folder) == before
    done = detector(*words, "--yes", "--for-good")
    assert (done.returncode, "Deleted 2 files" in done.stdout) == (0, True)
    assert set(tree(folder)) == {"a.png", "b.png"}


def test_move_to_is_a_folder_and_a_wrong_way_is_explained(folder: Path, tmp_path: Path) -> None:
    save_plan(two_pairs(folder), tmp_path / "plan.json")
    words = ("remove", "--plan", tmp_path / "plan.json", "--yes")
    wrong = detector(*words, "--to", "shredder")
    assert (wrong.returncode, "shredder" in wrong.stderr) == (1, True)
    done = detector(*words, "--move-to", tmp_path / "out")
    assert "Moved 2 files" in done.stdout
    assert set(tree(tmp_path / "out")) == {"sub/a copy.png", "sub/b copy.png"}


# -- organise ---------------------------------------------------------------------------------


@pytest.mark.parametrize("copies", [True, False])
@pytest.mark.parametrize("flat", [True, False])
def test_whole_sets_go_elsewhere_and_come_back(folder: Path, tmp_path: Path, copies: bool, flat: bool) -> None:
    plan = with_keepers(two_pairs(folder))
    before, out = tree(folder), tmp_path / "out"
    outcome = workflow.organise(plan, str(out), Recorder(), copies=copies, flat=flat)
    assert (outcome.files, outcome.refused) == (4, [])
    names = {Path(name).name if flat else name: facts for name, facts in before.items()}
    assert tree(out) == names
    assert tree(folder) == (before if copies else {})
    assert find(folder).pictures == (4 if copies else 0)
    assert undo(folder).files == 4
    assert tree(folder) == before
    assert tree(out) == {}
    assert find(folder).pictures == 4


def test_a_copy_that_was_changed_is_not_taken_back(folder: Path, tmp_path: Path) -> None:
    plan = two_pairs(folder)
    workflow.organise(plan, str(tmp_path / "out"), Recorder(), copies=True, flat=True)
    changed = save_picture(tmp_path / "out" / "a copy.png", 8, (60, 40)).read_bytes()
    outcome = undo(folder)
    assert "it stays" in reasons(outcome)["a copy.png"]
    assert (tmp_path / "out" / "a copy.png").read_bytes() == changed
    assert set(tree(tmp_path / "out")) == {"a copy.png"}


def test_names_that_meet_in_one_folder_are_numbered(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    save_picture(folder / "x" / "a.png", 1, (60, 40))
    copied(folder / "x" / "a.png", folder / "y" / "a.png")
    copied(folder / "x" / "a.png", folder / "z" / "A.png")
    plan = with_keepers(planned(folder))
    assert workflow.organise(plan, str(tmp_path / "out"), Recorder(), flat=True).files == 3
    assert {name.casefold() for name in tree(tmp_path / "out")} == {"a.png", "a (2).png", "a (3).png"}


def test_organise_asks_or_needs_yes(folder: Path, tmp_path: Path) -> None:
    save_plan(two_pairs(folder), tmp_path / "plan.json")
    words = ("organise", tmp_path / "plan.json", "--copy-to", tmp_path / "out")
    assert detector(*words).returncode == 1
    assert not (tmp_path / "out").exists()
    done = detector(*words, "--whole-sets", "--yes")
    assert "Copied 4 files" in done.stdout
    assert "Removed the copies of 4 files" in detector("undo", folder).stdout


# -- a full disk ------------------------------------------------------------------------------


@pytest.fixture
def small_volume(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "volume"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small volume needs root")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("job", ["undo", "purge"])
def test_a_disk_filled_to_the_last_byte_keeps_nobody_from_undo_and_purge(small_volume: Path, job: str) -> None:
    folder = small_volume / "pictures"
    plan = many_copies(folder, 20)
    before = tree(folder)
    remove(plan)
    with open(small_volume / "filler", "wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(b"x" * 4096)
    assert shutil.disk_usage(small_volume).free == 0
    done = detector(job, folder, *(["--yes"] if job == "purge" else []))
    assert done.returncode == 0, done.stderr
    assert tree(folder) == (before if job == "undo" else {"a.png": before["a.png"]})
    assert workflow.history(folder)[0].states == {"restored" if job == "undo" else "purged": 20}
    (small_volume / "filler").unlink()
    with Catalogue(folder) as store:
        assert store.integrity_problems() == []
        assert list(store.query("PRAGMA journal_mode")) == [("wal",)]
