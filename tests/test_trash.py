"""Removing, undoing and purging on real files: whatever happens, no picture is lost."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT, Recorder, contents, find, index, names_of, picture, resaved, save_picture, tree

from dedup import workflow
from dedup.errors import DedupError
from dedup.progress import Cancelled, Event, Progress, silent
from dedup.store import Catalogue, Entry, Journal, folder_lock
from dedup.trash import FileStamp, Outcome, Plan, Removal, moves, save_plan, settle
from dedup.workflow import plan_marked

TRASH = ".dedup-trash"
RUN = "20240501-120000-000000-abcd"
Change = Callable[[Path], object]

# A run of the core in a process that dies, as by a power cut, before its n-th step on the file system.
DYING = """
import errno, os, shutil, sys
from pathlib import Path
from dedup import workflow
from dedup.progress import silent
from dedup.trash import load_plan

job, folder, plan, volume, limit = sys.argv[1:]
steps = 0

def step(event, arguments):
    global steps
    watched = ("os.link", "os.remove", "os.rename", "os.chmod", "os.utime")
    if event in watched and "image_database" not in str(arguments[0]):
        steps += 1
        if steps == int(limit):
            os._exit(9)

def no_link(*_, **__):
    raise OSError(errno.EXDEV, "another volume")

def half_a_copy(source, target, *_):
    target.write(source.read(100))
    target.flush()
    os._exit(9)

really_rename = os.rename

def no_rename(source, target):
    if Path(source).parent != Path(target).parent:
        raise OSError(errno.EXDEV, "another volume")
    really_rename(source, target)

if volume != "same":
    os.link = no_link
    os.rename = no_rename
if volume == "half":
    shutil.copyfileobj = half_a_copy
sys.addaudithook(step)
if job == "remove":
    workflow.remove(load_plan(Path(plan)), silent)
elif job == "undo":
    workflow.undo(folder, None, silent)
else:
    workflow.purge(folder, None, silent)
"""


def remove(plan: Plan) -> Outcome:
    return workflow.remove(plan, Recorder())


def undo(folder: Path, run_id: str | None = None) -> Outcome:
    return workflow.undo(folder, run_id, Recorder())


def planned(*folders: Path, **options: Any) -> Plan:
    """Index the folders and plan to remove what find marks in them."""
    for folder in folders:
        index(folder)
    return plan_marked(find(*folders, **options))


def copied(source: Path, target: Path) -> Path:
    """A copy with the same bytes, time and permissions."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
    return target


def two_pairs(folder: Path) -> Plan:
    """``a.png`` and ``b.png`` are planned to lose ``sub/a copy.png`` and ``sub/b copy.png``, in this order."""
    for name, seed, size in (("a", 1, (96, 72)), ("b", 2, (48, 36))):
        save_picture(folder / f"{name}.png", seed, size)
        copied(folder / f"{name}.png", folder / "sub" / f"{name} copy.png")
    plan = planned(folder)
    assert [Path(row.file.path).name for row in plan.removals] == ["a copy.png", "b copy.png"]
    return plan


def many_copies(folder: Path, count: int) -> Plan:
    save_picture(folder / "a.png", 1, (60, 40))
    for number in range(count):
        copied(folder / "a.png", folder / f"a copy {number:02d}.png")
    return planned(folder)


def reasons(outcome: Outcome) -> dict[str, str]:
    return {Path(row.path).name: row.reason for row in outcome.refused}


def stamped(path: Path) -> FileStamp:
    status = path.stat()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return FileStamp(str(path), status.st_size, status.st_mtime_ns, digest)


def by_hand(folder: Path, *pairs: tuple[Path, Path]) -> Plan:
    """A plan that find would never make: (removed, keeper) as they are now."""
    rows = [Removal(str(folder), stamped(gone), stamped(kept), 1.0, "identical file") for gone, kept in pairs]
    return Plan("fake", 0.98, (str(folder),), tuple(rows))


def overwrite_in_place(path: Path, *, keep_time: bool) -> None:
    """Other bytes of the same length, as a program that edits a tag writes them."""
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[-20] ^= 0xFF
    path.write_bytes(bytes(data))
    if keep_time:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def the_oldest(path: Path) -> Path:
    """Of files alike in all else the oldest is kept."""
    os.utime(path, ns=(1, 1_000_000_000))
    return path


def touch(path: Path) -> None:
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1))


def grow(path: Path) -> None:
    status = path.stat()
    path.write_bytes(path.read_bytes() + b"more")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def replace_by_symlink(path: Path, target: Path) -> None:
    path.unlink()
    path.symlink_to(target)


def replace_by_hard_link(path: Path, target: Path) -> None:
    path.unlink()
    os.link(target, path)


def lose_database(folder: Path) -> None:
    for path in folder.glob("image_database*"):
        path.unlink()


# -- removing -----------------------------------------------------------------------------


def test_removed_files_lie_in_the_trash_of_the_run_with_their_folders_bytes_times_and_modes(folder: Path) -> None:
    the_oldest(save_picture(folder / "a.png", 1, (96, 72)))
    copy = copied(folder / "a.png", folder / "sub" / "deeper" / "a copy.png")
    os.utime(copy, ns=(1_600_000_000_000_000_001, 1_700_000_000_123_456_789))
    copy.chmod(0o640)
    before = tree(folder)
    outcome = remove(planned(folder))
    assert set(tree(folder)) == {"a.png"}
    assert tree(folder / TRASH / outcome.run_id) == {
        "sub/deeper/a copy.png": before["sub/deeper/a copy.png"],
    }
    assert before["sub/deeper/a copy.png"][1:] == (1_700_000_000_123_456_789, 0o100640)


def test_the_outcome_counts_the_files_and_bytes_of_each_folder(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for name, seed in (("a", 1), ("b", 2), ("c", 3)):
        save_picture(one / f"{name}.png", seed, (60, 40))
        copied(one / f"{name}.png", two / f"{name} copy.png")
    copied(one / "c.png", one / "c first.png")
    resaved(one / "c.png", two / "c copy.png", compress_level=0)
    sizes = {path.name: path.stat().st_size for path in [*one.iterdir(), *two.iterdir()]}
    outcome = remove(planned(one, two, within=True))
    assert outcome.moved == {
        str(one): (2, sizes["c.png"] + sizes["c first.png"]),
        str(two): (2, sizes["a copy.png"] + sizes["b copy.png"]),
    }
    assert (outcome.files, outcome.bytes) == (4, sum(total for _, total in outcome.moved.values()))
    assert set(outcome.folders) == {str(one), str(two)}


def test_removed_pictures_are_no_longer_found_and_are_not_kept_copies(folder: Path) -> None:
    remove(two_pairs(folder))
    assert find(folder).groups == []
    assert find(folder).pictures == 2
    index(folder)
    assert find(folder).groups == []
    status = workflow.status(folder)
    assert (status["pictures"], status["in_trash"], status["new"], status["gone"]) == (2, 2, 0, 0)


def test_a_dry_run_says_what_would_happen_and_changes_nothing(folder: Path) -> None:
    plan = two_pairs(folder)
    (folder / "a.png").unlink()
    before = contents(folder), tree(folder)
    outcome = workflow.dry_run(plan, Recorder())
    assert outcome.moved == {str(folder): (1, (folder / "sub" / "b copy.png").stat().st_size)}
    assert reasons(outcome) == {"a copy.png": "its keeper is gone"}
    assert (contents(folder), tree(folder)) == before
    assert not (folder / TRASH).exists()
    assert workflow.runs(folder) == []


def test_a_folder_in_use_by_another_run_loses_nothing(folder: Path) -> None:
    plan = two_pairs(folder)
    before = tree(folder)
    with folder_lock(folder):
        with pytest.raises(DedupError, match="Another run"):
            remove(plan)
        with pytest.raises(DedupError, match="Another run"):
            undo(folder)
    assert tree(folder) == before


# -- each refusal, with the others going on -------------------------------------------------

REFUSALS: dict[str, tuple[Change, str]] = {
    "the keeper is gone": (lambda f: (f / "a.png").unlink(), "its keeper is gone"),
    "the keeper was renamed": (lambda f: (f / "a.png").rename(f / "better name.png"), "its keeper is gone"),
    "the keeper has another size": (lambda f: grow(f / "a.png"), "its keeper has changed"),
    "the keeper has another time": (lambda f: touch(f / "a.png"), "its keeper has changed"),
    "the keeper has other bytes, size and time the same": (
        lambda f: overwrite_in_place(f / "a.png", keep_time=True),
        "its keeper has other bytes",
    ),
    "the keeper is empty now": (lambda f: (f / "a.png").write_bytes(b""), "its keeper has changed"),
    "the keeper is a folder now": (
        lambda f: ((f / "a.png").unlink(), (f / "a.png").mkdir()),
        "its keeper is not a regular file",
    ),
    "the keeper is a link to the removal now": (
        lambda f: replace_by_symlink(f / "a.png", f / "sub" / "a copy.png"),
        "its keeper is not a regular file",
    ),
    "the keeper is the same file as the removal now": (
        lambda f: replace_by_hard_link(f / "a.png", f / "sub" / "a copy.png"),
        "same file",
    ),
    "the removal is gone": (lambda f: (f / "sub" / "a copy.png").unlink(), "it is gone"),
    "the removal has another size": (lambda f: grow(f / "sub" / "a copy.png"), "it has changed"),
    "the removal has another time": (lambda f: touch(f / "sub" / "a copy.png"), "it has changed"),
    "the removal has other bytes, size and time the same": (
        lambda f: overwrite_in_place(f / "sub" / "a copy.png", keep_time=True),
        "it has other bytes",
    ),
    "the removal is a link now": (
        lambda f: replace_by_symlink(f / "sub" / "a copy.png", f / "a.png"),
        "it is not a regular file",
    ),
    "the removal is the same file as its keeper now": (
        lambda f: replace_by_hard_link(f / "sub" / "a copy.png", f / "a.png"),
        "same file",
    ),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_a_removal_is_refused_when(folder: Path, what: str) -> None:
    change, reason = REFUSALS[what]
    plan = two_pairs(folder)
    change(folder)
    before, kept = tree(folder), contents(folder)
    dry = workflow.dry_run(plan, Recorder())
    outcome = remove(plan)
    assert set(reasons(outcome)) == {"a copy.png"}
    assert reason in reasons(outcome)["a copy.png"]
    assert reasons(dry) == reasons(outcome)
    assert outcome.files == 1, "the other removal goes on"
    assert tree(folder) == {path: facts for path, facts in before.items() if path != "sub/b copy.png"}
    assert set(tree(folder / TRASH / outcome.run_id)) == {"sub/b copy.png"}
    assert contents(folder) == kept
    undo(folder)
    assert tree(folder) == before


def test_a_keeper_planned_for_removal_in_the_same_plan_saves_its_copies(folder: Path) -> None:
    one, two, three = (folder / name for name in ("one.png", "two.png", "three.png"))
    save_picture(one, 1, (60, 40))
    copied(one, two)
    copied(one, three)
    index(folder)
    for rows in ([(one, two), (two, three)], [(two, three), (one, two)]):
        outcome = remove(by_hand(folder, *rows))
        assert reasons(outcome) == {"one.png": "its keeper is planned for removal too"}
        assert set(tree(folder)) == {"one.png", "three.png"}
        undo(folder)


def test_two_pictures_that_name_each_other_as_keeper_both_stay_even_across_folders(tmp_path: Path) -> None:
    one = save_picture(tmp_path / "one" / "a.png", 1, (60, 40))
    two = copied(one, tmp_path / "two" / "a.png")
    there, back = by_hand(one.parent, (one, two)), by_hand(two.parent, (two, one))
    plan = Plan("fake", 0.98, there.folders + back.folders, there.removals + back.removals)
    outcome = remove(plan)
    assert outcome.files == 0
    assert len(outcome.refused) == 2
    assert one.exists()
    assert two.exists()


def test_a_keeper_that_is_another_name_of_a_file_planned_elsewhere_saves_its_copies(folder: Path) -> None:
    original = save_picture(folder / "a.png", 1, (60, 40))
    other_name, copy, last = folder / "other name.png", folder / "copy.png", folder / "last.png"
    os.link(original, other_name)
    copied(original, copy)
    copied(original, last)
    outcome = remove(by_hand(folder, (copy, other_name), (original, last)))
    assert "its keeper is the same file as one planned for removal" in reasons(outcome)["copy.png"]
    assert copy.exists()


def test_a_keeper_reached_through_a_linked_folder_is_not_a_second_copy(folder: Path) -> None:
    real = save_picture(folder / "real" / "a.png", 1, (60, 40))
    (folder / "alias").symlink_to("real")
    outcome = remove(by_hand(folder, (real, folder / "alias" / "a.png")))
    assert "same file" in reasons(outcome)["a.png"]
    assert real.exists()


def test_a_keeper_in_the_trash_keeps_nothing(folder: Path) -> None:
    plan = two_pairs(folder)
    run = remove(plan).run_id
    outcome = remove(by_hand(folder, (folder / "a.png", folder / TRASH / run / "sub" / "a copy.png")))
    assert reasons(outcome) == {"a.png": "its keeper lies in a trash"}
    assert (folder / "a.png").exists()


def test_what_lies_in_the_trash_is_not_removed_again(folder: Path) -> None:
    plan = two_pairs(folder)
    run = remove(plan).run_id
    thrown_away = folder / TRASH / run / "sub" / "a copy.png"
    outcome = remove(by_hand(folder, (thrown_away, folder / "a.png")))
    assert reasons(outcome) == {"a copy.png": "it lies in the trash already"}
    assert thrown_away.exists()


def test_a_path_outside_the_folder_of_the_plan_is_refused_however_it_is_spelled(folder: Path, tmp_path: Path) -> None:
    outside = save_picture(tmp_path / "elsewhere" / "mine.png", 1, (60, 40))
    (folder / "sub").mkdir()
    keeper = copied(outside, folder / "keeper.png")
    spellings = [
        outside,
        folder / ".." / "elsewhere" / "mine.png",
        folder / "sub" / ".." / ".." / "elsewhere" / "mine.png",
        tmp_path / "pictures and more" / ".." / "elsewhere" / "mine.png",
    ]
    (tmp_path / "pictures and more").mkdir()
    before = tree(tmp_path)
    for path in spellings:
        outcome = remove(by_hand(folder, (path, keeper)))
        assert reasons(outcome) == {"mine.png": "it does not lie inside the folder of the plan"}, path
    assert tree(tmp_path) == before


def test_a_detour_through_the_parent_folder_is_refused(folder: Path) -> None:
    (folder / "sub").mkdir()
    keeper = save_picture(folder / "keeper.png", 1, (60, 40))
    copy = copied(keeper, folder / "copy.png")
    outcome = remove(by_hand(folder, (folder / "sub" / ".." / "copy.png", keeper)))
    assert "inside" in reasons(outcome)["copy.png"]
    assert copy.exists()


@pytest.mark.parametrize(
    "spelled",
    ["{folder}/sub\0/a.png", "\0", "{folder}/" + "x" * 5000, "{folder}", "a.png", "", "/", "{folder}/a.png/b.png"],
    ids=lambda text: ascii(text[:20]),
)
def test_a_plan_that_was_edited_by_hand_is_refused_path_by_path(folder: Path, spelled: str) -> None:
    plan = two_pairs(folder)
    before = tree(folder)
    first, second = plan.removals
    odd = replace(first, file=replace(first.file, path=spelled.format(folder=folder)))
    edited = replace(plan, removals=(odd, second))
    assert workflow.dry_run(edited, silent).files == 1
    outcome = remove(edited)
    assert [row.path for row in outcome.refused] == [odd.file.path]
    assert set(before) - set(tree(folder)) == {"sub/b copy.png"}


@pytest.mark.parametrize("spelled", ["\0", "", "/no/such/folder"], ids=ascii)
def test_a_plan_whose_folder_was_edited_by_hand_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelled: str
) -> None:
    monkeypatch.chdir(tmp_path)
    plan = two_pairs(folder)
    before = tree(folder)
    first, second = plan.removals
    edited = replace(plan, removals=(replace(first, folder=spelled), second))
    assert workflow.dry_run(edited, silent).files == 1
    outcome = remove(edited)
    assert [row.path for row in outcome.refused] == [first.file.path]
    assert set(before) - set(tree(folder)) == {"sub/b copy.png"}


def test_a_subfolder_replaced_by_a_link_to_elsewhere_keeps_its_files(folder: Path, tmp_path: Path) -> None:
    plan = two_pairs(folder)
    (folder / "sub").rename(tmp_path / "archive")
    (folder / "sub").symlink_to(tmp_path / "archive")
    outcome = remove(plan)
    assert set(reasons(outcome).values()) == {"it does not lie inside the folder of the plan"}
    assert set(tree(tmp_path / "archive")) == {"a copy.png", "b copy.png"}


def test_a_keeper_that_goes_while_its_copies_are_being_removed_saves_the_rest(folder: Path) -> None:
    plan = many_copies(folder, 4)

    def keeper_goes(event: Event) -> None:
        if isinstance(event, Progress) and event.done == 2:
            (folder / "a.png").unlink(missing_ok=True)

    outcome = workflow.remove(plan, keeper_goes)
    assert outcome.files == 2
    assert set(reasons(outcome).values()) == {"its keeper is gone"}
    assert set(tree(folder)) == {"a copy 02.png", "a copy 03.png"}


def test_a_folder_that_is_gone_is_a_refusal_and_the_other_folder_goes_on(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    save_picture(tmp_path / "kept" / "a.png", 1, (60, 40))
    for folder in (one, two):
        copied(tmp_path / "kept" / "a.png", folder / "a copy.png")
    plan = planned(tmp_path / "kept", one, two)
    assert len(plan.removals) == 2
    shutil.rmtree(one)
    outcome = remove(plan)
    assert [Path(row.path) for row in outcome.refused] == [one / "a copy.png"]
    assert outcome.moved == {str(two): (1, plan.removals[0].file.size)}
    assert not one.exists(), "a folder that is gone is not made again"


def test_permission_denied_is_listed_not_counted_and_the_rest_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_picture(folder / "a.png", 1, (96, 72))
    save_picture(folder / "b.png", 2, (48, 36))
    copied(folder / "a.png", folder / "locked" / "a copy.png")
    copied(folder / "b.png", folder / "open" / "b copy.png")
    plan = planned(folder)
    before = tree(folder)
    really_move = moves.move_away

    def denied(source: Path, target: Path) -> None:
        if source.parent.name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", str(source))
        really_move(source, target)

    if os.name == "nt" or os.geteuid() == 0:
        monkeypatch.setattr(moves, "move_away", denied)  # the administrator is denied nothing
    else:
        (folder / "locked").chmod(0o555)
    outcome = remove(plan)
    (folder / "locked").chmod(0o755)
    assert reasons(outcome) == {"a copy.png": "cannot be moved: Permission denied"}
    assert outcome.files == 1
    assert outcome.bytes == (folder / "b.png").stat().st_size
    assert set(before) - set(tree(folder)) == {"open/b copy.png"}
    assert set(tree(folder / TRASH / outcome.run_id)) == {"open/b copy.png"}


def test_a_failed_move_is_not_counted_and_its_row_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Fault 6: the row was deleted before the file, and a failed deletion was still counted as done.
    plan = two_pairs(folder)
    before, found = tree(folder), names_of(find(folder))

    def full(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(moves, "move_away", full)
        outcome = remove(plan)
    assert (outcome.files, outcome.bytes, outcome.moved) == (0, 0, {})
    assert set(reasons(outcome).values()) == {"cannot be moved: No space left on device"}
    assert tree(folder) == before
    assert names_of(find(folder)) == found, "nothing has to be indexed again"
    assert workflow.status(folder)["in_trash"] == 0
    assert workflow.runs(folder) == []
    assert remove(planned(folder)).files == 2, "and the next attempt works"


# -- undo -----------------------------------------------------------------------------------


def test_undo_restores_bytes_times_and_permissions_also_into_deleted_folders(folder: Path) -> None:
    save_picture(folder / "a.png", 1, (96, 72))
    for number, place in enumerate(["a copy.png", "sub/a copy.png", "sub/deep/er/a copy.png", "zzz/a copy.png"]):
        path = copied(folder / "a.png", folder / place)
        os.utime(path, ns=(1_500_000_000_000_000_000 + number, 1_600_000_000_987_654_321 + number))
        path.chmod([0o600, 0o644, 0o444, 0o755][number])
    the_oldest(folder / "a.png")
    plan = planned(folder)
    before = tree(folder)
    assert remove(plan).files == 4
    shutil.rmtree(folder / "sub")
    (folder / "zzz").rmdir()
    outcome = undo(folder)
    assert tree(folder) == before
    assert outcome.refused == []
    assert outcome.moved == {str(folder): (4, plan.bytes)}
    assert not (folder / TRASH).exists(), "an empty trash leaves nothing behind"


def test_after_undo_the_pictures_are_found_again_without_encoding_them(folder: Path) -> None:
    plan = two_pairs(folder)
    found = names_of(find(folder))
    remove(plan)
    undo(folder)
    assert names_of(find(folder)) == found
    assert index(folder).encoded == 0


def test_undo_brings_a_name_back_that_is_not_valid_unicode(folder: Path) -> None:
    save_picture(folder / "a.png", 1, (60, 40))
    for raw in (b"caf\xe9 copy.png", b"line\nbreak.png", b"\xff\xfe'\".png"):
        copied(folder / "a.png", folder / os.fsdecode(b"sub \xe9") / os.fsdecode(raw))
    plan = planned(folder)
    before = tree(folder)
    assert remove(plan).files == 3
    assert set(tree(folder)) == {"a.png"}
    assert undo(folder).files == 3
    assert tree(folder) == before


def test_undo_never_overwrites_and_says_where_the_file_is_now(folder: Path) -> None:
    plan = two_pairs(folder)
    before = tree(folder)
    remove(plan)
    place = save_picture(folder / "sub" / "a copy.png", 7, (30, 30))
    occupant = place.read_bytes()
    outcome = undo(folder)
    assert place.read_bytes() == occupant
    after = tree(folder)
    assert after["sub/a copy (restored).png"] == before["sub/a copy.png"]
    assert after["sub/b copy.png"] == before["sub/b copy.png"]
    assert "a copy (restored).png" in reasons(outcome)["a copy.png"]
    assert outcome.files == 2
    assert workflow.runs(folder) == []


def test_undo_finds_a_free_name_when_the_restored_one_is_taken_too(folder: Path) -> None:
    plan = two_pairs(folder)
    before = tree(folder)
    remove(plan)
    for number, name in enumerate(("a copy.png", "a copy (restored).png")):
        save_picture(folder / "sub" / name, 7 + number, (30, 30))
    occupied = tree(folder)
    undo(folder)
    expected = {
        "sub/a copy (restored 2).png": before["sub/a copy.png"],
        "sub/b copy.png": before["sub/b copy.png"],
    }
    assert tree(folder) == {**occupied, **expected}


@pytest.mark.parametrize("kind", ["folder", "dangling link", "link to a picture"])
def test_undo_does_not_go_through_or_over_what_took_the_place(folder: Path, tmp_path: Path, kind: str) -> None:
    plan = two_pairs(folder)
    before = tree(folder)
    remove(plan)
    place, elsewhere = folder / "sub" / "a copy.png", save_picture(tmp_path / "elsewhere.png", 9, (30, 30))
    bytes_elsewhere = elsewhere.read_bytes()
    if kind == "folder":
        place.mkdir()
    else:
        place.symlink_to(elsewhere if kind == "link to a picture" else tmp_path / "nothing here.png")
    undo(folder)
    assert tree(folder)["sub/a copy (restored).png"] == before["sub/a copy.png"]
    assert place.is_dir() == (kind == "folder")
    assert place.is_symlink() == (kind != "folder")
    assert elsewhere.read_bytes() == bytes_elsewhere
    assert not (tmp_path / "nothing here.png").exists()


def test_undo_does_not_leave_the_folder_through_a_link(folder: Path, tmp_path: Path) -> None:
    plan = two_pairs(folder)
    before = tree(folder)
    remove(plan)
    (tmp_path / "elsewhere").mkdir()
    (folder / "sub").rmdir()
    (folder / "sub").symlink_to(tmp_path / "elsewhere")
    outcome = undo(folder)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert set(reasons(outcome)) == {"a copy.png", "b copy.png"}
    (folder / "sub").unlink()
    assert undo(folder).files == 2
    assert tree(folder) == before


def test_a_file_where_the_subfolder_was_is_explained_and_undo_works_once_it_is_gone(folder: Path) -> None:
    plan = two_pairs(folder)
    before = tree(folder)
    remove(plan)
    (folder / "sub").rmdir()
    (folder / "sub").write_text("a note")
    outcome = undo(folder)
    assert outcome.files == 0
    assert all(reason.startswith("cannot be moved back") for reason in reasons(outcome).values())
    assert [run.files for run in workflow.runs(folder)] == [2]
    (folder / "sub").unlink()
    assert undo(folder).files == 2
    assert tree(folder) == before


def test_a_named_run_is_undone_while_later_runs_stay_in_the_trash(folder: Path) -> None:
    save_picture(folder / "a.png", 1, (60, 40))
    copied(folder / "a.png", folder / "a first copy.png")
    first = remove(planned(folder)).run_id
    copied(folder / "a.png", folder / "a second copy.png")
    second = remove(planned(folder)).run_id
    assert [run.id for run in workflow.runs(folder)] == [second, first]
    outcome = undo(folder, first)
    assert outcome.run_id == first
    assert set(tree(folder)) == {"a.png", "a first copy.png"}
    assert [run.id for run in workflow.runs(folder)] == [second]
    assert undo(folder).run_id == second
    assert set(tree(folder)) == {"a.png", "a first copy.png", "a second copy.png"}


def test_the_same_place_removed_twice_comes_back_twice_under_two_names(folder: Path) -> None:
    save_picture(folder / "a.png", 1, (60, 40))
    copied(folder / "a.png", folder / "a copy.png")
    remove(planned(folder))
    copied(folder / "a.png", folder / "a copy.png")
    remove(planned(folder))
    undo(folder)
    undo(folder)
    assert set(tree(folder)) == {"a.png", "a copy.png", "a copy (restored).png"}


def test_undoing_twice_is_explained_and_changes_nothing(folder: Path) -> None:
    plan = two_pairs(folder)
    run = remove(plan).run_id
    undo(folder)
    before = tree(folder)
    for run_id in (None, run):
        with pytest.raises(DedupError, match="is empty") as caught:
            undo(folder, run_id)
        assert caught.value.remedy
    assert tree(folder) == before


def test_an_unknown_run_is_refused_and_the_known_ones_are_named(folder: Path) -> None:
    run = remove(two_pairs(folder)).run_id
    with pytest.raises(DedupError, match="no-such-run") as caught:
        undo(folder, "no-such-run")
    assert run in caught.value.remedy
    with pytest.raises(DedupError, match="no-such-run"):
        workflow.purge(folder, "no-such-run", silent)
    assert [one.files for one in workflow.runs(folder)] == [2]


def test_a_run_over_two_folders_is_undone_in_each(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    save_picture(one / "a.png", 1, (60, 40))
    copied(one / "a.png", two / "a copy.png")
    save_picture(two / "b.png", 2, (60, 40))
    copied(two / "b.png", one / "b much longer.png")
    plan = planned(one, two)
    before = tree(tmp_path)
    run = remove(plan).run_id
    assert set(tree(tmp_path)) == {"one/a.png", "two/b.png"}
    for folder in (one, two):
        (listed,) = workflow.runs(folder)
        assert (listed.id, set(listed.folders), listed.files) == (run, {str(one), str(two)}, 1)
        undo(folder, run)
    assert tree(tmp_path) == before


def test_undo_works_after_the_folder_was_moved(folder: Path, tmp_path: Path) -> None:
    plan = two_pairs(folder)
    before = tree(folder)
    remove(plan)
    moved = folder.rename(tmp_path / "moved")
    undo(moved)
    assert tree(moved) == before


def test_undo_works_after_the_database_was_deleted(folder: Path) -> None:
    save_picture(folder / "a.png", 1, (60, 40))
    for place in ("a copy.png", "sub/a copy.png", os.fsdecode(b"sub \xe9/caf\xe9.png")):
        copied(folder / "a.png", folder / place)
    (folder / "sub" / "a copy.png").chmod(0o600)
    plan = planned(folder)
    before = tree(folder)
    run = remove(plan).run_id
    lose_database(folder)
    (listed,) = workflow.runs(folder)
    assert (listed.id, listed.files, listed.bytes) == (run, 3, plan.bytes)
    assert undo(folder).files == 3
    assert tree(folder) == before


def test_two_runs_are_still_two_after_the_database_was_deleted(folder: Path) -> None:
    save_picture(folder / "a.png", 1, (60, 40))
    runs = []
    for name in ("first copy.png", "second copy.png"):
        copied(folder / "a.png", folder / name)
        runs.append(remove(planned(folder)).run_id)
    lose_database(folder)
    assert [run.id for run in workflow.runs(folder)] == runs[::-1]
    undo(folder, runs[0])
    assert set(tree(folder)) == {"a.png", "first copy.png"}


def test_trash_copies_deleted_by_someone_else_are_reported_as_lost_and_the_rest_comes_back(folder: Path) -> None:
    plan = two_pairs(folder)
    before = tree(folder)
    run = remove(plan).run_id
    (folder / TRASH / run / "sub" / "a copy.png").unlink()
    outcome = undo(folder)
    assert "no longer in the trash" in reasons(outcome)["a copy.png"]
    assert tree(folder) == {path: facts for path, facts in before.items() if path != "sub/a copy.png"}
    assert workflow.runs(folder) == []
    assert workflow.status(folder)["in_trash"] == 0
    assert outcome.files == 1, "what is lost was not brought back"
    assert outcome.bytes == (folder / "b.png").stat().st_size


def test_a_file_put_back_by_hand_counts_as_restored_and_not_as_lost(folder: Path) -> None:
    plan = two_pairs(folder)
    before = tree(folder)
    run = remove(plan).run_id
    (folder / TRASH / run / "sub" / "a copy.png").rename(folder / "sub" / "a copy.png")
    outcome = undo(folder)
    assert outcome.refused == []
    assert tree(folder) == before
    assert names_of(find(folder)) == [["a.png", "a copy.png"], ["b.png", "b copy.png"]]


def test_a_whole_trash_folder_deleted_by_someone_else_is_reported(folder: Path) -> None:
    remove(two_pairs(folder))
    shutil.rmtree(folder / TRASH)
    outcome = undo(folder)
    assert set(reasons(outcome)) == {"a copy.png", "b copy.png"}
    assert outcome.files == 0
    assert set(tree(folder)) == {"a.png", "b.png"}


# -- purge ----------------------------------------------------------------------------------


def test_purging_one_run_leaves_the_others_to_be_undone(folder: Path) -> None:
    save_picture(folder / "a.png", 1, (60, 40))
    runs = []
    for name in ("first copy.png", "second copy.png"):
        copied(folder / "a.png", folder / name)
        runs.append(remove(planned(folder)).run_id)
    outcome = workflow.purge(folder, runs[0], Recorder())
    assert outcome.files == 1
    assert not (folder / TRASH / runs[0]).exists()
    assert [run.id for run in workflow.runs(folder)] == [runs[1]]
    with pytest.raises(DedupError, match=runs[0]):
        undo(folder, runs[0])
    undo(folder)
    assert set(tree(folder)) == {"a.png", "second copy.png"}


def test_purging_everything_frees_the_space_and_touches_no_kept_picture(folder: Path) -> None:
    plan = two_pairs(folder)
    remove(plan)
    copied(folder / "a.png", folder / "another copy.png")
    remove(planned(folder))
    kept = tree(folder)
    outcome = workflow.purge(folder, None, Recorder())
    assert outcome.files == 3
    assert outcome.bytes == plan.bytes + (folder / "a.png").stat().st_size
    assert not (folder / TRASH).exists()
    assert tree(folder) == kept
    assert workflow.runs(folder) == []
    assert workflow.status(folder)["in_trash"] == 0
    with pytest.raises(DedupError, match="is empty"):
        undo(folder)


def test_purging_an_empty_trash_does_nothing(folder: Path) -> None:
    two_pairs(folder)
    before = tree(folder)
    assert workflow.purge(folder, None, Recorder()).files == 0
    assert tree(folder) == before


def test_a_purge_that_fails_keeps_the_file_for_undo(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = two_pairs(folder)
    before = tree(folder)
    remove(plan)

    def denied(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(moves, "erase", denied)
        outcome = workflow.purge(folder, None, Recorder())
    assert outcome.files == 0
    assert set(reasons(outcome).values()) == {"Permission denied"}
    undo(folder)
    assert tree(folder) == before


# -- stopping -------------------------------------------------------------------------------


class StopAfter:
    """A report that stops the job once so many files are done."""

    def __init__(self, done: int) -> None:
        self.done = done

    def __call__(self, event: Event) -> None:
        if isinstance(event, Progress) and event.done == self.done:
            raise Cancelled


@pytest.mark.parametrize("done", [0, 1, 2, 33, 39, 40])
def test_a_removal_stopped_between_two_files_can_be_undone_and_gone_on_with(folder: Path, done: int) -> None:
    plan = many_copies(folder, 40)
    before = tree(folder)
    outcome = workflow.remove(plan, StopAfter(done))
    assert outcome.interrupted
    assert outcome.files == done
    assert len(tree(folder)) == 41 - done
    assert sum(run.files for run in workflow.runs(folder)) == done
    status = workflow.status(folder)
    assert (status["pictures"], status["in_trash"], status["new"], status["gone"]) == (41 - done, done, 0, 0)
    assert remove(plan_marked(find(folder))).files == 40 - done if done < 40 else True
    for _ in workflow.runs(folder):
        undo(folder)
    assert tree(folder) == before


def test_a_removal_stopped_in_one_folder_does_not_go_on_in_the_next(tmp_path: Path) -> None:
    save_picture(tmp_path / "kept" / "a.png", 1, (60, 40))
    for name in ("one", "two"):
        copied(tmp_path / "kept" / "a.png", tmp_path / name / "a copy.png")
    plan = planned(tmp_path / "kept", tmp_path / "one", tmp_path / "two")
    before = tree(tmp_path)
    outcome = workflow.remove(plan, StopAfter(1))
    assert (outcome.interrupted, outcome.files) == (True, 1)
    (touched,) = outcome.moved
    undo(Path(touched))
    assert tree(tmp_path) == before


@pytest.mark.parametrize("done", [0, 1, 3])
def test_an_undo_stopped_between_two_files_goes_on_where_it_stopped(folder: Path, done: int) -> None:
    plan = many_copies(folder, 4)
    before = tree(folder)
    remove(plan)
    outcome = workflow.undo(folder, None, StopAfter(done))
    assert (outcome.interrupted, outcome.files) == (True, done)
    assert undo(folder).files == 4 - done
    assert tree(folder) == before


def test_a_purge_stopped_between_two_files_leaves_the_rest_to_be_undone(folder: Path) -> None:
    plan = many_copies(folder, 4)
    remove(plan)
    outcome = workflow.purge(folder, None, StopAfter(3))
    assert (outcome.interrupted, outcome.files) == (True, 3)
    assert undo(folder).files == 1
    assert len(tree(folder)) == 2


def test_a_picture_that_moved_as_ctrl_c_struck_twice_comes_back_by_undo(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The second Ctrl-C stops at once, which may be just after the file reached the trash.
    plan = many_copies(folder, 3)
    before = tree(folder)
    really_move = moves.move_away
    moved = []

    def interrupted(source: Path, target: Path) -> None:
        really_move(source, target)
        moved.append(source)
        if len(moved) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(moves, "move_away", interrupted)
        with pytest.raises(KeyboardInterrupt):
            workflow.remove(plan, silent)
    assert len(tree(folder)) == 2
    assert [run.files for run in workflow.runs(folder)] == [2]
    assert undo(folder).files == 2
    assert tree(folder) == before


# -- crashes --------------------------------------------------------------------------------


def crashed(folder: Path, state: str, *, in_place: bool, in_trash: bool, restored_name: str = "") -> Path:
    """A folder as a crash left it: the journal says ``state``, the file is where the arguments say.

    With both, the file has two names, as between the two halves of a move. Gives its place.
    """
    save_picture(folder / "a.png", 1, (60, 40))
    place = copied(folder / "a.png", folder / "sub" / "a copy.png")
    index(folder)
    stamp, trash = stamped(place), folder / TRASH / RUN / "sub" / "a copy.png"
    entry = Entry(
        0,
        RUN,
        "sub/a copy.png",
        f"{TRASH}/{RUN}/sub/a copy.png",
        "",
        stamp.size,
        stamp.mtime_ns,
        bytes.fromhex(stamp.digest),
        str(folder / "a.png"),
        1.0,
        "identical file",
    )
    with Catalogue(folder) as store:
        journal = Journal(store)
        entries = journal.begin(RUN, [str(folder)], [entry])
        if state != "planned":
            journal.mark(entries, "moved")
            journal.mark(entries, state, "", f"sub/{restored_name}" if restored_name else "")
    trash.parent.mkdir(parents=True)
    if in_trash:
        os.link(place, trash)
    if not in_place:
        place.unlink()
    elif restored_name:
        place.rename(place.with_name(restored_name))
        place = place.with_name(restored_name)
    return place


CRASHES = [
    # state, in place, in trash -> in place after recovery, to be undone after recovery, what the journal says then
    ("planned", True, False, True, False, "failed"),
    ("planned", False, True, False, True, "moved"),
    ("planned", True, True, True, False, "failed"),
    ("planned", False, False, False, False, "failed"),
    ("restoring", False, True, False, True, "moved"),
    ("restoring", True, True, True, False, "restored"),
    ("restoring", True, False, True, False, "restored"),
    ("restoring", False, False, False, False, "lost"),
    ("purging", False, False, False, False, "purged"),
    ("purging", False, True, False, True, "moved"),
]


def journal_of(folder: Path) -> list[str]:
    with Catalogue(folder) as store:
        return [entry.state for entry in Journal(store).entries()]


@pytest.mark.parametrize(("state", "in_place", "in_trash", "stays", "undoable", "settled"), CRASHES)
def test_after_a_crash_the_disk_settles_what_the_journal_left_open(
    folder: Path, state: str, in_place: bool, in_trash: bool, stays: bool, undoable: bool, settled: str
) -> None:
    place = crashed(folder, state, in_place=in_place, in_trash=in_trash)
    whole = tree(folder)["a.png"]
    runs = workflow.runs(folder)
    assert journal_of(folder) == [settled]
    assert place.exists() == stays
    assert [run.id for run in runs] == ([RUN] if undoable else [])
    assert (folder / TRASH / RUN / "sub" / "a copy.png").exists() == undoable
    if stays:
        assert names_of(find(folder)) == [["a.png", "a copy.png"]], "its row is that of a picture in its place"
        assert workflow.status(folder)["in_trash"] == 0
    if undoable:
        assert find(folder).groups == [], "its row is that of a picture in the trash"
        undo(folder)
        assert names_of(find(folder)) == [["a.png", "a copy.png"]]
    if stays or undoable:
        assert tree(folder)["sub/a copy.png"] == whole
    with Catalogue(folder) as store:
        assert settle(store) == 0, "nothing is left to settle"


def test_a_purge_that_a_crash_cut_short_does_not_take_a_new_file_for_the_old_one(folder: Path) -> None:
    place = crashed(folder, "purging", in_place=False, in_trash=False)
    save_picture(place, 5, (30, 30))
    assert workflow.runs(folder) == []
    assert journal_of(folder) == ["purged"]
    assert place.exists()


def test_an_undo_to_another_name_that_a_crash_cut_in_half_counts_as_done(folder: Path) -> None:
    place = crashed(folder, "restoring", in_place=True, in_trash=True, restored_name="a copy (restored).png")
    save_picture(folder / "sub" / "a copy.png", 5, (30, 30))
    assert workflow.runs(folder) == []
    assert place.exists()
    assert set(tree(folder)) == {"a.png", "sub/a copy.png", "sub/a copy (restored).png"}
    assert names_of(find(folder)) == [["a.png", "a copy (restored).png"]]


def test_after_a_crash_a_new_file_in_the_place_is_neither_lost_nor_taken_for_the_old_one(folder: Path) -> None:
    place = crashed(folder, "planned", in_place=False, in_trash=True)
    save_picture(place, 5, (30, 30))
    new = place.read_bytes()
    undo(folder)
    assert place.read_bytes() == new
    assert (folder / "sub" / "a copy (restored).png").read_bytes() == (folder / "a.png").read_bytes()


@pytest.mark.parametrize("state", ["planned", "restoring"])
def test_after_a_crash_a_link_to_the_trash_is_not_the_picture(folder: Path, state: str) -> None:
    place = crashed(folder, state, in_place=False, in_trash=True)
    trash = folder / TRASH / RUN / "sub" / "a copy.png"
    place.symlink_to(trash)
    assert [run.files for run in workflow.runs(folder)] == [1]
    assert trash.read_bytes() == (folder / "a.png").read_bytes()
    undo(folder)
    assert (folder / "sub" / "a copy (restored).png").read_bytes() == (folder / "a.png").read_bytes()


def test_indexing_and_verifying_settle_what_a_crash_left(tmp_path: Path) -> None:
    for name, job in (("indexed", index), ("verified", workflow.verify)):
        (tmp_path / name).mkdir()
        crashed(tmp_path / name, "planned", in_place=False, in_trash=True)
        job(tmp_path / name)
        status = workflow.status(tmp_path / name)
        assert (status["pictures"], status["in_trash"], status["gone"]) == (1, 1, 0)


def die(job: str, folder: Path, plan: Path, volume: str, limit: int) -> bool:
    """Run a job in a process that dies at a step; whether it died before it was done."""
    words = [sys.executable, "-c", DYING, job, str(folder), str(plan), volume, str(limit)]
    done = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 9), done.stderr
    return done.returncode == 9


@pytest.mark.parametrize("volume", ["same", "other"])
@pytest.mark.parametrize("job", ["remove", "undo"])
def test_a_process_that_dies_at_any_step_leaves_every_picture_in_place_or_to_be_undone(
    folder: Path, tmp_path: Path, job: str, volume: str
) -> None:
    plan = two_pairs(folder)
    before = tree(folder)
    save_plan(plan, tmp_path / "plan.json")
    if job == "undo":
        remove(plan)
    shutil.copytree(folder, tmp_path / "start")
    limit = 1
    while die(job, folder, tmp_path / "plan.json", volume, limit):
        lost = {facts[0] for facts in before.values()} - contents(folder)
        assert not lost, f"step {limit}"
        if workflow.runs(folder):
            undo(folder)
        assert tree(folder) == before, f"step {limit}"
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "start", folder)
        limit += 1
    assert limit > (2 if (job, volume) == ("remove", "same") else 4), "it died at each of several steps"


@pytest.mark.parametrize("job", ["remove", "undo"])
def test_half_a_copy_that_a_crash_left_on_another_volume_never_passes_for_the_picture(
    folder: Path, tmp_path: Path, job: str
) -> None:
    plan = two_pairs(folder)
    before = tree(folder)
    save_plan(plan, tmp_path / "plan.json")
    if job == "undo":
        remove(plan)
    assert die(job, folder, tmp_path / "plan.json", "half", 0)
    if workflow.runs(folder):
        undo(folder)
    assert tree(folder) == before


# -- the moves ------------------------------------------------------------------------------


def no_links(number: int) -> Callable[..., None]:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


def without_links(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """No hard links; for EXDEV also no rename from one folder into another, as between two volumes."""
    really_rename = os.rename

    def rename(source: Path, target: Path) -> None:
        if number == errno.EXDEV and Path(source).parent != Path(target).parent:
            raise OSError(number, os.strerror(number))
        really_rename(source, target)

    monkeypatch.setattr(os, "link", no_links(number))
    monkeypatch.setattr(os, "rename", rename)


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EMLINK])
def test_remove_and_undo_work_across_volumes_and_without_hard_links(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    the_oldest(save_picture(folder / "a.png", 1, (60, 40)))
    copy = copied(folder / "a.png", folder / "sub" / "a copy.png")
    os.utime(copy, ns=(1_500_000_000_000_000_001, 1_700_000_000_123_456_789))
    copy.chmod(0o640)
    plan = planned(folder)
    before = tree(folder)
    without_links(monkeypatch, number)
    outcome = remove(plan)
    assert outcome.refused == []
    assert tree(folder / TRASH / outcome.run_id)["sub/a copy.png"] == before["sub/a copy.png"]
    assert set(tree(folder)) == {"a.png"}
    undo(folder)
    assert tree(folder) == before


@pytest.mark.parametrize("number", [0, errno.EXDEV, errno.EPERM, errno.ENOTSUP])
@pytest.mark.parametrize("kind", ["file", "same file", "folder", "dangling link"])
def test_a_move_never_overwrites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: str) -> None:
    source, target = save_picture(tmp_path / "source.png", 1, (60, 40)), tmp_path / "target.png"
    if kind == "file":
        save_picture(target, 2, (60, 40))
    elif kind == "same file":
        os.link(source, target)
    elif kind == "folder":
        target.mkdir()
    else:
        target.symlink_to(tmp_path / "nothing")
    before = tree(tmp_path)
    if number:
        without_links(monkeypatch, number)
    with pytest.raises(FileExistsError):
        moves.move_back(source, target)
    assert tree(tmp_path) == before
    assert target.is_dir() == (kind == "folder")
    assert target.is_symlink() == (kind == "dangling link")
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EXDEV])
def test_undo_overwrites_nothing_where_there_are_no_hard_links(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    plan = two_pairs(folder)
    before = tree(folder)
    without_links(monkeypatch, number)
    remove(plan)
    place = save_picture(folder / "sub" / "a copy.png", 7, (30, 30))
    occupant = place.read_bytes()
    undo(folder)
    assert place.read_bytes() == occupant
    assert tree(folder)["sub/a copy (restored).png"] == before["sub/a copy.png"]


def test_a_copy_across_volumes_that_came_out_wrong_leaves_the_picture_where_it_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = two_pairs(folder)
    before = tree(folder)

    def rotten(source: Any, target: Any, *_: object) -> None:
        target.write(source.read()[:-1] + b"\0")

    without_links(monkeypatch, errno.EXDEV)
    monkeypatch.setattr(shutil, "copyfileobj", rotten)
    outcome = remove(plan)
    assert outcome.files == 0
    assert len(outcome.refused) == 2
    assert tree(folder) == before
    assert not list((folder / TRASH).rglob("*.png")), "no half-made copy stays in the trash"


def test_a_copy_across_volumes_whose_times_cannot_be_set_leaves_the_picture_where_it_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = two_pairs(folder)
    before = tree(folder)
    without_links(monkeypatch, errno.EXDEV)
    monkeypatch.setattr(shutil, "copystat", no_links(errno.EPERM))
    outcome = remove(plan)
    assert outcome.files == 0
    assert tree(folder) == before
    assert not list((folder / TRASH).rglob("*.png")), "a copy that undo does not know of would never be seen again"


def test_a_file_that_changed_after_indexing_takes_no_part_in_the_next_find(folder: Path) -> None:
    two_pairs(folder)
    picture(8, (60, 40)).save(folder / "sub" / "a copy.png")
    found = find(folder)
    (skipped,) = found.skipped
    assert skipped.path == str(folder / "sub" / "a copy.png")
    assert "changed" in skipped.reason
    assert names_of(found) == [["b.png", "b copy.png"]]


# -- what an attacker or an accident can put in the way --------------------------------------


def test_a_trash_that_is_a_link_elsewhere_is_refused_and_nothing_behind_it_is_touched(
    folder: Path, tmp_path: Path
) -> None:
    plan = two_pairs(folder)
    elsewhere = tmp_path / "my other photos"
    save_picture(elsewhere / "holiday" / "beach.png", 9)
    before, outside = tree(folder), tree(elsewhere)
    (folder / TRASH).symlink_to(elsewhere)
    outcome = remove(plan)
    assert (outcome.files, len(outcome.refused)) == (0, 2)
    for act in (lambda: undo(folder), lambda: workflow.purge(folder, None, silent), lambda: workflow.runs(folder)):
        with pytest.raises(DedupError, match="not a plain folder"):
            act()
    assert tree(folder) == before
    assert tree(elsewhere) == outside


def test_a_folder_someone_put_into_the_trash_is_not_taken_for_a_run(folder: Path) -> None:
    remove(two_pairs(folder))
    save_picture(folder / TRASH / "mine" / "keep.png", 9)
    assert [run.files for run in workflow.runs(folder)] == [2]
    workflow.purge(folder, None, silent, last_copies=True)
    assert (folder / TRASH / "mine" / "keep.png").exists()


def test_a_link_inside_the_trash_leads_no_purge_outside(folder: Path, tmp_path: Path) -> None:
    outcome = remove(two_pairs(folder))
    run = folder / TRASH / outcome.run_id
    (run / "sub").rename(tmp_path / "moved out")
    (run / "sub").symlink_to(tmp_path / "moved out")
    purged = workflow.purge(folder, None, silent, last_copies=True)
    assert purged.files == 0
    assert len(list((tmp_path / "moved out").iterdir())) == 2


def test_a_keeper_that_goes_with_the_removal_brings_the_picture_straight_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two names on two devices can be one file (a folder mounted twice): only the move shows it.
    plan = two_pairs(folder)
    before = tree(folder)
    really_move = moves.move_away

    def both_go(source: Path, target: Path) -> None:
        really_move(source, target)
        if source.name == "a copy.png":
            (folder / "a.png").rename(folder / "hidden")

    monkeypatch.setattr(moves, "move_away", both_go)
    outcome = remove(plan)
    (folder / "hidden").rename(folder / "a.png")
    assert reasons(outcome) == {"a copy.png": "its keeper is gone"}
    assert set(before) - set(tree(folder)) == {"sub/b copy.png"}
    undo(folder)
    assert tree(folder) == before


def test_a_version_saved_at_the_very_moment_of_removal_is_not_lost(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = two_pairs(folder)
    really_move = moves.move_away

    def saved_just_before(source: Path, target: Path) -> None:
        if source.name == "a copy.png":
            save_picture(source.with_name("new version.png"), 77).rename(source)
        really_move(source, target)

    monkeypatch.setattr(moves, "move_away", saved_just_before)
    outcome = remove(plan)
    assert reasons(outcome) == {"a copy.png": "it has changed since it was indexed"}
    monkeypatch.undo()
    expected = save_picture(folder / "expected.png", 77).read_bytes()
    assert (folder / "sub" / "a copy.png").read_bytes() == expected


def test_a_plan_never_removes_what_is_no_picture(folder: Path) -> None:
    index(folder)
    plan = two_pairs(folder)
    database = folder / "image_database.db"
    status = database.stat()
    first, second = plan.removals
    odd = replace(first.file, path=str(database), size=status.st_size, mtime_ns=status.st_mtime_ns)
    outcome = remove(replace(plan, removals=(replace(first, file=odd), second)))
    assert reasons(outcome)["image_database.db"] == "it is not a picture file"
    assert database.exists()


def test_a_plan_that_swaps_the_keeper_of_an_identical_file_is_refused(folder: Path) -> None:
    plan = two_pairs(folder)
    first, second = plan.removals
    swapped = replace(plan, removals=(replace(first, keeper=second.keeper), second))
    outcome = remove(swapped)
    assert reasons(outcome) == {"a copy.png": "the plan calls it identical to its keeper, and it is not"}


def test_purging_leaves_what_may_be_the_last_copy_unless_told(folder: Path) -> None:
    remove(two_pairs(folder))
    (folder / "a.png").unlink()
    assert [run.without_keeper for run in workflow.runs(folder)] == [1]
    outcome = workflow.purge(folder, None, silent)
    assert outcome.files == 1
    assert [Path(row.path).name for row in outcome.refused] == ["a copy.png"]
    assert workflow.purge(folder, None, silent, last_copies=True).files == 1


def test_a_picture_that_changed_in_the_trash_comes_back_and_is_named(folder: Path) -> None:
    outcome = remove(two_pairs(folder))
    (folder / TRASH / outcome.run_id / "sub" / "a copy.png").write_bytes(b"damaged")
    back = undo(folder)
    assert back.files == 2
    assert [Path(row.path).name for row in back.refused] == ["a copy.png"]
    assert "changed while it lay in the trash" in back.refused[0].reason
    assert (folder / "sub" / "a copy.png").read_bytes() == b"damaged"
    assert len(find(folder).skipped) == 1, "its old vector does not speak for other bytes"


def test_a_very_long_name_comes_back_beside_an_occupied_place(folder: Path) -> None:
    name = "n" * 251 + ".png"
    save_picture(folder / "a.png", 1, (96, 72))
    copied(folder / "a.png", folder / name)
    outcome = remove(planned(folder))
    gone = "a.png" if (folder / name).exists() else name
    save_picture(folder / gone, 5)
    assert undo(folder, outcome.run_id).files == 1
    assert len(list(folder.glob("*restored*"))) == 1


@pytest.mark.parametrize("spoiled", ["emptied", "other picture", "link to the trash"])
def test_a_keeper_that_is_no_longer_the_picture_does_not_count_as_one(folder: Path, spoiled: str) -> None:
    outcome = remove(two_pairs(folder))
    keeper = folder / "a.png"
    keeper.unlink()
    if spoiled == "emptied":
        keeper.write_bytes(b"")
    elif spoiled == "other picture":
        save_picture(keeper, 9)
    else:
        keeper.symlink_to(folder / TRASH / outcome.run_id / "sub" / "a copy.png")
    purged = workflow.purge(folder, None, silent)
    assert [Path(row.path).name for row in purged.refused] == ["a copy.png"]
    assert (folder / TRASH / outcome.run_id / "sub" / "a copy.png").exists()


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_what_lies_at_the_name_of_a_part_is_not_written_through_and_blocks_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    plan = two_pairs(folder)
    before = tree(folder)
    remove(plan)
    victim = save_picture(folder / "victim.jpg", 9)
    content = victim.read_bytes()
    part = moves.part_of(folder / "sub" / "a copy.png")
    part.parent.mkdir(exist_ok=True)
    part.symlink_to(victim) if kind == "link" else part.mkdir()
    without_links(monkeypatch, errno.EXDEV)
    outcome = undo(folder)
    assert victim.read_bytes() == content
    assert outcome.files == (2 if kind == "link" else 1)
    if kind == "folder":
        part.rmdir()
        undo(folder)
    victim.unlink()
    assert tree(folder) == before


def test_pruning_does_not_follow_a_link(tmp_path: Path) -> None:
    (tmp_path / "foreign" / "empty").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "foreign")
    moves.prune(tmp_path / "link")
    assert (tmp_path / "foreign" / "empty").is_dir()


def test_a_similar_keeper_that_became_another_picture_does_not_count_as_one(folder: Path) -> None:
    save_picture(folder / "a.png", 1, (96, 72))
    resaved(folder / "a.png", folder / "a small.png", 0.5)
    plan = planned(folder)
    assert [row.tier for row in plan.removals] == ["same picture"]
    outcome = remove(plan)
    assert [run.without_keeper for run in workflow.runs(folder)] == [0]
    save_picture(Path(plan.removals[0].keeper.path), 9, (96, 72))
    purged = workflow.purge(folder, None, silent)
    assert (purged.files, len(purged.refused)) == (0, 1)
    assert undo(folder, outcome.run_id).files == 1
