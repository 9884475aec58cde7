"""The other ways than the trash: each keeps what it says, undoes what it can, and survives a death at any step."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import PROJECT, Recorder, contents, find, index, names_of, resaved, save_picture, tree
from test_trash import copied, planned, reasons, the_oldest, two_pairs

from dedup import workflow
from dedup.errors import DedupError
from dedup.progress import silent
from dedup.store import Catalogue, Journal
from dedup.trash import Outcome, Plan, cloning, save_plan

TRASH = ".dedup-trash"
RUN_OF_A_CHILD = """
import os, sys
from pathlib import Path
from dedup import workflow
from dedup.progress import silent
from dedup.store import Journal
from dedup.trash import load_plan

job, way, folder, plan, limit = sys.argv[1:]
steps = 0

def step():
    global steps
    steps += 1
    if steps == int(limit):
        os._exit(9)

def watch(event, arguments):
    watched = ("os.link", "os.remove", "os.rename", "os.chmod", "os.utime")
    if event in watched and "image_database" not in str(arguments[0]):
        step()
    if event == "ctypes.dlsym" and arguments[1] == "renameat2":
        step()

really_mark = Journal.mark

def mark(*arguments):
    step()
    really_mark(*arguments)

Journal.mark = mark
sys.addaudithook(watch)
if job == "remove":
    workflow.remove(load_plan(Path(plan)), silent, way)
else:
    workflow.undo(folder, None, silent)
"""


def remove(plan: Plan, way: str) -> Outcome:
    return workflow.remove(plan, Recorder(), way)


def undo(folder: Path, run_id: str | None = None, files: tuple[str, ...] = ()) -> Outcome:
    return workflow.undo(folder, run_id, Recorder(), files)


def a_pair(folder: Path) -> Plan:
    """``a.png`` is planned to lose ``sub/a copy.png``, which has a time and permissions of its own."""
    the_oldest(save_picture(folder / "a.png", 1, (96, 72), compress_level=0))
    copy = copied(folder / "a.png", folder / "sub" / "a copy.png")
    os.utime(copy, ns=(1_600_000_000_000_000_001, 1_700_000_000_123_456_789))
    copy.chmod(0o640)
    return planned(folder)


def states(folder: Path) -> list[str]:
    with Catalogue(folder) as store:
        return [entry.state for entry in Journal(store).entries()]


def test_an_unknown_way_is_one_sentence_and_moves_nothing(folder: Path) -> None:
    plan = a_pair(folder)
    before = tree(folder)
    for way in ("shredder", "folder:", "folder", ""):
        with pytest.raises(DedupError):
            remove(plan, way)
    assert tree(folder) == before


# -- hard links -------------------------------------------------------------------------------


def test_a_hard_link_takes_the_name_and_undo_gives_the_file_back_as_it_was(folder: Path) -> None:
    plan = a_pair(folder)
    before = tree(folder)
    outcome = remove(plan, "hardlink")
    assert outcome.files == 1
    assert (folder / "a.png").samefile(folder / "sub" / "a copy.png")
    assert tree(folder / TRASH / outcome.run_id) == {"sub/a copy.png": before["sub/a copy.png"]}
    undo(folder)
    assert tree(folder) == before
    assert not (folder / "a.png").samefile(folder / "sub" / "a copy.png")
    assert not (folder / TRASH).exists()


@pytest.mark.parametrize("name", ["a copy.png", "A first.png"])
def test_after_hard_links_nothing_is_offered_again(folder: Path, name: str) -> None:
    the_oldest(save_picture(folder / "a.png", 1, (96, 72)))
    copied(folder / "a.png", folder / name)
    assert remove(planned(folder), "hardlink").files == 1
    for _ in range(2):
        assert find(folder).groups == []
        index(folder)
    assert find(folder).pictures == 1
    undo(folder)
    index(folder)
    assert names_of(find(folder)) == [["a.png", name]]


def test_files_with_other_bytes_are_never_linked_or_shared(folder: Path) -> None:
    the_oldest(save_picture(folder / "a.png", 1, (96, 72)))
    resaved(folder / "a.png", folder / "b.png", compress_level=0)
    plan = planned(folder)
    assert len(plan.removals) == 1
    before = tree(folder)
    for way in ("hardlink", "reflink"):
        outcome = remove(plan, way)
        assert outcome.files == 0
        assert all("a link would change it" in row.reason for row in outcome.refused)
    assert tree(folder) == before


def test_undo_of_a_hard_link_keeps_what_took_its_place(folder: Path) -> None:
    plan = a_pair(folder)
    before = tree(folder)
    remove(plan, "hardlink")
    (folder / "sub" / "a copy.png").unlink()
    new = save_picture(folder / "sub" / "a copy.png", 9, (30, 30)).read_bytes()
    undo(folder)
    assert (folder / "sub" / "a copy.png").read_bytes() == new
    assert tree(folder)["sub/a copy (restored).png"] == before["sub/a copy.png"]


def test_undo_of_a_hard_link_keeps_the_last_name_of_the_picture_kept(folder: Path) -> None:
    plan = a_pair(folder)
    remove(plan, "hardlink")
    (folder / "a.png").unlink()
    undo(folder)
    assert set(tree(folder)) == {"sub/a copy.png", "sub/a copy (restored).png"}


def test_where_no_link_can_be_made_the_file_comes_straight_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = a_pair(folder)
    before = tree(folder)

    def no_link(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", no_link)
    outcome = remove(plan, "hardlink")
    assert "cannot be linked" in reasons(outcome)["a copy.png"]
    assert tree(folder) == before
    assert states(folder) == ["failed"]


# -- reflinks ---------------------------------------------------------------------------------


@pytest.fixture(params=["btrfs", "xfs"])
def sharing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system that can share blocks, mounted from an image."""
    kind, image, place = request.param, tmp_path / "volume.img", tmp_path / "volume"
    make = shutil.which(f"mkfs.{kind}", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if make is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip(f"making and mounting a volume of {kind} needs mkfs.{kind} and root")
    with open(image, "wb") as file:
        file.truncate(400 << 20)
    subprocess.run([make, "-q", str(image)], check=True, capture_output=True)
    place.mkdir()
    mounted = subprocess.run(["mount", "-o", "loop", str(image), str(place)], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no volume of {kind} can be mounted here: {mounted.stderr.strip()}")
    try:
        (place / "pictures").mkdir()
        yield place / "pictures"
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_reflink_shares_the_blocks_and_keeps_the_files_own_time_and_permissions(sharing: Path) -> None:
    plan = a_pair(sharing)
    before = tree(sharing)
    assert workflow.dry_run(plan, silent, "reflink").files == 1
    assert remove(plan, "reflink").files == 1
    one, other = sharing / "a.png", sharing / "sub" / "a copy.png"
    assert cloning.is_shared(one, other)
    assert not one.samefile(other)
    assert tree(sharing) == before
    assert states(sharing) == ["shared"]
    assert not (sharing / TRASH).exists()
    assert "already" in reasons(workflow.dry_run(plan, silent, "reflink"))["a copy.png"]
    with pytest.raises(DedupError, match="left every file in its place"):
        undo(sharing)
    other.chmod(0o644)
    other.write_bytes(b"changed")
    assert one.read_bytes() != b"changed"


def test_a_reflink_that_dies_at_any_step_leaves_both_files(sharing: Path, tmp_path: Path) -> None:
    plan = a_pair(sharing)
    assert died_at_steps("remove", "reflink", sharing, plan, tmp_path) > 6


def test_a_file_system_that_cannot_share_is_named_before_anything_moves(folder: Path) -> None:
    plan = a_pair(folder)
    if cloning.why_not(folder / "a.png", folder) is None:
        pytest.skip("the file system of the temporary folder can share blocks")
    before = tree(folder)
    assert "cannot share" in reasons(workflow.dry_run(plan, silent, "reflink"))["a copy.png"]
    assert "cannot share" in reasons(remove(plan, "reflink"))["a copy.png"]
    assert tree(folder) == before
    assert not (folder / TRASH).exists()


# -- a folder of one's own --------------------------------------------------------------------


def test_files_move_to_the_folder_with_their_tree_and_come_back(folder: Path, tmp_path: Path) -> None:
    plan = a_pair(folder)
    before = tree(folder)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    taken = save_picture(elsewhere / "sub" / "a copy.png", 7, (60, 40)).read_bytes()
    outcome = remove(plan, f"folder:{elsewhere}")
    assert outcome.files == 1
    assert tree(elsewhere)["sub/a copy (2).png"] == before["sub/a copy.png"]
    assert (elsewhere / "sub" / "a copy.png").read_bytes() == taken
    assert workflow.runs_to_purge(folder) == []
    assert workflow.purge(folder, None, silent).files == 0, "what lies in a folder of one's own is never purged"
    undo(folder)
    assert tree(folder) == before
    assert set(tree(elsewhere)) == {"sub/a copy.png"}


def test_two_picture_folders_get_a_folder_each(tmp_path: Path) -> None:
    one, two = tmp_path / "x" / "pictures", tmp_path / "y" / "pictures"
    save_picture(one / "a.png", 1, (60, 40))
    copied(one / "a.png", one / "copy.png")
    copied(one / "a.png", two / "copy.png")
    before = tree(tmp_path)
    outcome = remove(planned(one, two, within=True), f"folder:{tmp_path / 'out'}")
    assert outcome.files == 2
    assert len(tree(tmp_path / "out")) == 2
    assert {path.split("/")[0] for path in tree(tmp_path / "out")} <= {"pictures", "pictures (2)"}
    for place in (one, two):
        if workflow.runs(place):
            undo(place)
    assert tree(tmp_path) == before
    assert tree(tmp_path / "out") == {}


@pytest.mark.parametrize(
    "where", ["pictures", "pictures/inside", "", "pictures/a.png", ".dedup-trash/x", "pictures/../pictures/b"]
)
def test_a_folder_where_files_must_not_go_is_refused(folder: Path, tmp_path: Path, where: str) -> None:
    plan = a_pair(folder)
    before = tree(tmp_path)
    with pytest.raises(DedupError):
        remove(plan, f"folder:{tmp_path / where}")
    assert tree(tmp_path) == before


# -- deletion ---------------------------------------------------------------------------------


def test_what_is_deleted_is_gone_and_its_keeper_and_every_refused_file_stay(folder: Path) -> None:
    plan = two_pairs(folder)
    (folder / "a.png").unlink()
    before = tree(folder)
    outcome = remove(plan, "delete")
    assert set(reasons(outcome)) == {"a copy.png"}
    assert tree(folder) == {name: facts for name, facts in before.items() if name != "sub/b copy.png"}
    assert not (folder / TRASH).exists()
    assert sorted(states(folder)) == ["failed", "purged"]
    assert workflow.status(folder)["in_trash"] == 0
    with pytest.raises(DedupError, match="deleted for good"):
        undo(folder)


def test_undo_does_not_take_an_older_run_for_one_that_was_deleted(folder: Path) -> None:
    plan = two_pairs(folder)
    first = remove(replace(plan, removals=plan.removals[:1]), "trash").run_id
    remove(replace(plan, removals=plan.removals[1:]), "delete")
    with pytest.raises(DedupError, match="deleted for good"):
        undo(folder)
    assert undo(folder, first).files == 1


# -- the system's trash -----------------------------------------------------------------------


@pytest.fixture
def system_trash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The trash of the freedesktop specification, in a home of the test's own."""
    other = pytest.importorskip("send2trash.plat_other", reason="this system has a trash of another kind")
    place = tmp_path / "share" / "Trash"
    monkeypatch.setattr(other, "HOMETRASH_B", os.fsencode(place))
    monkeypatch.setattr(other, "XDG_DATA_HOME", os.fsencode(place.parent))
    monkeypatch.setattr(other, "get_dev", lambda path: 1)
    monkeypatch.setattr("send2trash.send2trash", other.send2trash)
    return place


def test_the_systems_trash_takes_a_file_and_undo_says_where_it_is(folder: Path, system_trash: Path) -> None:
    plan = a_pair(folder)
    before = tree(folder)
    assert remove(plan, "system-trash").files == 1
    assert set(tree(folder)) == {"a.png"}
    assert tree(system_trash / "files") == {"a copy.png": before["sub/a copy.png"]}
    assert states(folder) == ["handed over"]
    with pytest.raises(DedupError, match="system's trash"):
        undo(folder)
    assert workflow.runs(folder) == []


def test_what_the_systems_trash_refuses_stays_and_is_listed(
    folder: Path, system_trash: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from send2trash import TrashPermissionError

    plan = two_pairs(folder)
    before = tree(folder)
    problems = [TrashPermissionError("/volume/.Trash-1000"), OSError("no trash"), RuntimeError("no session bus")]

    def refuse(path: str) -> None:
        raise problems.pop(0)

    monkeypatch.setattr("send2trash.send2trash", refuse)
    said = reasons(remove(plan, "system-trash"))
    assert "no trash can be made on its volume" in said["a copy.png"]
    assert "did not take it" in said["b copy.png"]
    assert "no session bus" in reasons(remove(replace(plan, removals=plan.removals[:1]), "system-trash"))["a copy.png"]
    assert tree(folder) == before
    assert set(states(folder)) == {"failed"}


def test_a_system_that_only_claims_to_have_taken_a_file_is_not_believed(
    folder: Path, system_trash: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = a_pair(folder)
    monkeypatch.setattr("send2trash.send2trash", lambda path: None)
    assert "still there" in reasons(remove(plan, "system-trash"))["a copy.png"]
    assert states(folder) == ["failed"]


# -- every way: the checks, and death at any step ---------------------------------------------


@pytest.mark.parametrize("way", ["system-trash", "hardlink", "delete", "folder"])
def test_a_file_whose_keeper_changed_stays_in_every_way(
    folder: Path, tmp_path: Path, system_trash: Path, way: str
) -> None:
    plan = a_pair(folder)
    save_picture(folder / "a.png", 5, (96, 72))
    before = tree(folder)
    outcome = remove(plan, f"folder:{tmp_path / 'out'}" if way == "folder" else way)
    assert outcome.files == 0
    assert "its keeper" in reasons(outcome)["a copy.png"]
    assert tree(folder) == before


def copy_with_links(source: Path, target: Path) -> None:
    """A copy of a folder in which two names of one file stay that."""
    shutil.copytree(source, target)
    places: dict[int, Path] = {}
    for path in sorted(source.rglob("*.png")):
        first = places.setdefault(path.stat().st_ino, path)
        if first != path:
            (target / path.relative_to(source)).unlink()
            os.link(target / first.relative_to(source), target / path.relative_to(source))


def died_at_steps(job: str, way: str, folder: Path, plan: Plan, tmp_path: Path) -> int:
    """Let a run die at its first step, its second ...; after each no content is lost and undo brings all back.

    How many steps there were.
    """
    before = tree(folder)
    saved, start = tmp_path / "plan.json", tmp_path / "start"
    save_plan(plan, saved)
    if job == "undo":
        remove(plan, way)
    copy_with_links(folder, start)
    elsewhere = Path(way.partition(":")[2]) if ":" in way else None
    if elsewhere is not None and elsewhere.exists():
        shutil.copytree(elsewhere, tmp_path / "start elsewhere")
    step = 0
    while True:
        step += 1
        words = [sys.executable, "-c", RUN_OF_A_CHILD, job, way, str(folder), str(saved), str(step)]
        done = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, timeout=60)
        assert done.returncode in (0, 9), done.stderr
        if done.returncode == 0:
            return step - 1
        there = contents(folder) | (contents(elsewhere) if elsewhere and elsewhere.exists() else set())
        assert {facts[0] for facts in before.values()} <= there, f"step {step}"
        while runs := workflow.runs(folder):
            undo(folder, runs[0].id)
        if job == "undo" or way != "delete" or "purged" not in states(folder):
            assert tree(folder) == before, f"step {step}"
        else:
            assert set(tree(folder)) == {"a.png"}
        assert not list(folder.rglob(".dedup-[pa]*-*")), f"step {step}"
        assert not (folder / TRASH).exists(), f"step {step}"
        for place, original in ((folder, start), (elsewhere, tmp_path / "start elsewhere")):
            if place is not None and place.exists():
                shutil.rmtree(place)
            if place is not None and original.exists():
                copy_with_links(original, place)


@pytest.mark.parametrize("way", ["hardlink", "delete", "folder"])
def test_a_removal_that_dies_at_any_step_loses_nothing(folder: Path, tmp_path: Path, way: str) -> None:
    plan = a_pair(folder)
    chosen = f"folder:{tmp_path / 'elsewhere'}" if way == "folder" else way
    steps = died_at_steps("remove", chosen, folder, plan, tmp_path)
    assert steps >= {"hardlink": 3, "delete": 4, "folder": 2}[way]


@pytest.mark.parametrize("way", ["hardlink", "folder"])
def test_an_undo_that_dies_at_any_step_loses_nothing(folder: Path, tmp_path: Path, way: str) -> None:
    plan = a_pair(folder)
    chosen = f"folder:{tmp_path / 'elsewhere'}" if way == "folder" else way
    assert died_at_steps("undo", chosen, folder, plan, tmp_path) >= 4


@pytest.mark.parametrize(("in_place", "state"), [(True, "failed"), (False, "handed over")])
def test_a_handing_over_that_a_crash_cut_short_is_settled_by_the_disk(folder: Path, in_place: bool, state: str) -> None:
    plan = a_pair(folder)
    outcome = remove(plan, "hardlink")
    undo(folder)
    with Catalogue(folder) as store:
        journal = Journal(store)
        [entry] = journal.entries()
        journal.begin(outcome.run_id, [str(folder)], [replace(entry, how="system-trash", state="planned")])
    if not in_place:
        (folder / "sub" / "a copy.png").unlink()
    workflow.runs(folder)
    assert states(folder) == ["restored", state]
