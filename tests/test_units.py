"""A picture moves with what belongs to it, as one: to the trash, back, and out of it; whatever happens in between."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, contents, find, index, save_picture, tree
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_trash import TRASH, copied, die, lose_database, overwrite_in_place, planned, reasons, remove, stamped, undo
from test_trash import by_hand as plan_of

from dedup import workflow
from dedup.companions import belongs
from dedup.settings import Settings
from dedup.trash import Plan, moves, save_plan
from dedup.workflow import plan_marked

UNIT = ["IMG_1.AAE", "IMG_1.JPG", "IMG_1.JPG.xmp", "IMG_1.wav"]


def a_file(path: Path, text: str, when: int = 1_600_000_000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, ns=(1, when * 1_000_000_000 + 123_456_789))
    return path


def a_copy_with_companions(folder: Path, name: str = "IMG_1", seed: int = 1) -> None:
    """``kept/NAME.JPG``, and in ``old`` its copy with sidecars and a note; both have the same RAW and film."""
    copied(save_picture(folder / "kept" / f"{name}.JPG", seed, (96, 72)), folder / "old" / f"{name}.JPG")
    os.utime(folder / "kept" / f"{name}.JPG", ns=(1, 1_000_000_000))
    for number, suffix in enumerate(("AAE", "JPG.xmp", "wav")):
        a_file(folder / "old" / f"{name}.{suffix}", f"{name} {suffix}", 1_600_000_000 + number).chmod(0o640)


def with_equal_raw(folder: Path, name: str = "IMG_1") -> None:
    copied(a_file(folder / "kept" / f"{name}.CR2", f"raw {name}"), folder / "old" / f"{name}.CR2")


def marked(folder: Path) -> list[str]:
    return sorted(Path(row.file.path).name for row in plan_marked(find(folder)).removals)


def plan_for(folder: Path, *, gone: str, kept: str) -> Plan:
    """A plan for a pair, whatever find says of it."""
    return workflow.complete_plan(plan_of(folder, (folder / gone, folder / kept)), Recorder())


def names(stamps: Any) -> list[str]:
    return sorted(Path(stamp.path).name for stamp in stamps)


# -- the plan -------------------------------------------------------------------------------


def test_a_plan_lists_the_companions_with_their_bytes_and_counts_them(folder: Path) -> None:
    a_copy_with_companions(folder)
    with_equal_raw(folder)
    plan = planned(folder)
    (row,) = plan.removals
    assert names(row.files) == sorted([*UNIT, "IMG_1.CR2"])
    assert (plan.files, plan.companions) == (5, 4)
    assert plan.bytes == sum(path.stat().st_size for path in (folder / "old").iterdir())
    assert row.lost == ("editing steps in IMG_1.AAE",)


def test_what_belongs_to_a_picture_that_stays_is_in_no_plan(folder: Path) -> None:
    a_copy_with_companions(folder)
    save_picture(folder / "old" / "IMG_1.HEIC.png", 9, (40, 30)).rename(folder / "old" / "IMG_1.PNG")
    plan = planned(folder)
    assert names(plan.removals[0].companions) == ["IMG_1.JPG.xmp"]
    remove(plan)
    assert sorted(path.name for path in (folder / "old").iterdir()) == ["IMG_1.AAE", "IMG_1.PNG", "IMG_1.wav"]


def two_pictures_of_one_film(folder: Path) -> Plan:
    for number, name in enumerate(("IMG_1.JPG", "IMG_1.PNG"), 1):
        copied(save_picture(folder / "kept" / name, number, (96, 72)), folder / "old" / name)
        os.utime(folder / "kept" / name, ns=(1, 1_000_000_000))
    copied(a_file(folder / "kept" / "IMG_1.MOV", "film"), folder / "old" / "IMG_1.MOV")
    return planned(folder)


def test_what_belongs_to_two_pictures_goes_with_the_last_of_them(folder: Path) -> None:
    plan = two_pictures_of_one_film(folder)
    before = tree(folder)
    assert [names(row.companions) for row in plan.removals] == [[], ["IMG_1.MOV"]]
    assert remove(plan).files == 3
    assert not any((folder / "old").iterdir())
    undo(folder)
    assert tree(folder) == before


@pytest.mark.parametrize("which", [0, 1])
def test_what_belongs_to_two_pictures_stays_when_one_of_them_is_refused(folder: Path, which: int) -> None:
    plan = two_pictures_of_one_film(folder)
    refused = Path(plan.removals[which].file.path)
    os.utime(refused)
    outcome = remove(plan)
    assert set(reasons(outcome)) == {refused.name}
    assert sorted(path.name for path in (folder / "old").iterdir()) == sorted(["IMG_1.MOV", refused.name])
    assert outcome.files == 1


# -- what find proposes ---------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["CR2", "dng", "MOV", "mp4"])
def test_a_picture_with_a_raw_or_a_film_that_its_keeper_lacks_is_shown_unmarked(folder: Path, suffix: str) -> None:
    a_copy_with_companions(folder)
    a_file(folder / "old" / f"IMG_1.{suffix}", "only here")
    index(folder)
    (group,) = find(folder).groups
    assert not group.others[0].marked
    assert f"IMG_1.{suffix} has no equal beside the kept picture" in group.others[0].remark
    match = find(folder).relation(group.keeper, group.others[0].picture)
    assert match is not None
    assert match.carries


@pytest.mark.parametrize("suffix", ["CR2", "MOV"])
def test_it_is_marked_when_the_keeper_has_the_same(folder: Path, suffix: str) -> None:
    a_copy_with_companions(folder)
    copied(a_file(folder / "kept" / f"IMG_1.{suffix}", "here and there"), folder / "old" / f"IMG_1.{suffix}")
    index(folder)
    assert marked(folder) == ["IMG_1.JPG"]
    (folder / "kept" / f"IMG_1.{suffix}").write_text("other and there")
    assert marked(folder) == []


def test_filename_cleanup_moves_companions_and_spares_raws_too(folder: Path) -> None:
    for name in ("a", "b"):
        copied(save_picture(folder / f"{name}.jpg", ord(name), (60, 40)), folder / f"{name} (1).jpg")
        a_file(folder / f"{name} (1).xmp", "sidecar")
    a_file(folder / "b (1).nef", "raw")
    plan = plan_marked(workflow.find_by_name([folder], Settings(), Recorder()))
    assert [names(row.files) for row in plan.removals] == [["a (1).jpg", "a (1).xmp"]]


# -- removing and undoing -------------------------------------------------------------------


def test_a_unit_is_removed_and_undone_byte_for_byte_with_times_and_modes(folder: Path) -> None:
    a_copy_with_companions(folder)
    with_equal_raw(folder)
    plan = planned(folder)
    before = tree(folder)
    outcome = remove(plan)
    assert outcome.moved == {str(folder): (5, plan.bytes)}
    assert set(tree(folder)) == {"kept/IMG_1.JPG", "kept/IMG_1.CR2"}
    in_trash = tree(folder / TRASH / outcome.run_id)
    assert in_trash == {path: facts for path, facts in before.items() if path.startswith("old/")}
    assert [run.files for run in workflow.runs(folder)] == [5]
    assert undo(folder).refused == []
    assert tree(folder) == before
    assert workflow.status(folder)["pictures"] == 2


def test_a_dry_run_counts_what_the_removal_then_moves(folder: Path) -> None:
    a_copy_with_companions(folder)
    plan = planned(folder)
    promised = workflow.dry_run(plan, Recorder())
    assert remove(plan).moved == promised.moved


def test_undo_after_the_database_was_lost_brings_companions_back_too(folder: Path) -> None:
    a_copy_with_companions(folder)
    before = tree(folder)
    remove(planned(folder))
    lose_database(folder)
    undo(folder)
    assert tree(folder) == before


def test_a_unit_whose_place_is_taken_comes_back_under_one_name(folder: Path) -> None:
    a_copy_with_companions(folder)
    before = tree(folder)
    remove(planned(folder))
    a_file(folder / "old" / "IMG_1.wav", "another note")
    undo(folder)
    after = tree(folder)
    assert {path for path in after if path.startswith("old/")} == {
        "old/IMG_1.wav",
        "old/IMG_1 (restored).AAE",
        "old/IMG_1 (restored).JPG",
        "old/IMG_1 (restored).JPG.xmp",
        "old/IMG_1 (restored).wav",
    }
    for name in UNIT:
        back = name.replace("IMG_1", "IMG_1 (restored)")
        assert after[f"old/{back}"] == before[f"old/{name}"]


def test_purge_deletes_whole_units(folder: Path) -> None:
    a_copy_with_companions(folder)
    with_equal_raw(folder)
    remove(planned(folder))
    kept = tree(folder)
    assert workflow.purge(folder, None, Recorder()).files == 5
    assert not (folder / TRASH).exists()
    assert tree(folder) == kept


def test_a_raw_without_an_equal_is_purged_with_its_picture_only_when_a_person_says_so(folder: Path) -> None:
    a_copy_with_companions(folder)
    a_file(folder / "old" / "IMG_1.CR2", "only here")
    index(folder)
    remove(plan_for(folder, gone="old/IMG_1.JPG", kept="kept/IMG_1.JPG"))
    assert [run.without_keeper for run in workflow.runs(folder)] == [1]
    spared = workflow.purge(folder, None, Recorder())
    assert spared.files == 0
    assert len(spared.refused) == 5
    assert workflow.purge(folder, None, Recorder(), last_copies=True).files == 5


# -- refusals -------------------------------------------------------------------------------


def other_bytes(path: Path) -> None:
    overwrite_in_place(path, keep_time=True)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda path: path.write_text("edited since"), "IMG_1.AAE, which belongs to it, has changed"),
        (lambda path: path.unlink(), "IMG_1.AAE, which belongs to it, is gone"),
        (lambda path: (path.unlink(), path.mkdir()), "IMG_1.AAE, which belongs to it, is not a regular file"),
    ],
)
def test_a_companion_that_is_not_as_planned_keeps_its_unit_in_place(folder: Path, change: Any, reason: str) -> None:
    a_copy_with_companions(folder)
    a_copy_with_companions(folder, "IMG_2", 2)
    plan = planned(folder)
    change(folder / "old" / "IMG_1.AAE")
    before = tree(folder)
    dry = workflow.dry_run(plan, Recorder())
    outcome = remove(plan)
    assert reason in reasons(outcome)["IMG_1.JPG"]
    assert reasons(dry) == reasons(outcome)
    assert set(before) - set(tree(folder)) == {f"old/{name.replace('1', '2')}" for name in UNIT}
    undo(folder)
    assert tree(folder) == before


def test_a_companion_with_other_bytes_but_size_and_time_the_same_keeps_its_unit_in_place(folder: Path) -> None:
    a_copy_with_companions(folder)
    a_file(folder / "old" / "IMG_1.AAE", "x" * 100)
    plan = planned(folder)
    other_bytes(folder / "old" / "IMG_1.AAE")
    before = tree(folder)
    assert "other bytes" in reasons(remove(plan))["IMG_1.JPG"]
    assert tree(folder) == before


def test_a_companion_that_came_since_the_plan_keeps_the_picture_in_place(folder: Path) -> None:
    a_copy_with_companions(folder)
    plan = planned(folder)
    a_file(folder / "old" / "IMG_1.NEF", "came later")
    before = tree(folder)
    assert "IMG_1.NEF, which belongs to it, is not in the plan" in reasons(remove(plan))["IMG_1.JPG"]
    assert tree(folder) == before


def test_a_plan_edited_to_take_other_files_along_is_refused(folder: Path, tmp_path: Path) -> None:
    a_copy_with_companions(folder)
    plan = planned(folder)
    mine = a_file(tmp_path / "mine" / "IMG_1.xmp", "mine")
    for path in (mine, a_file(folder / "old" / "diary.txt", "dear diary"), folder / "kept" / "IMG_1.JPG"):
        edited = replace(plan, removals=(replace(plan.removals[0], companions=(stamped(path),)),))
        before = tree(tmp_path)
        assert "does not belong to it" in reasons(remove(edited))["IMG_1.JPG"]
        assert tree(tmp_path) == before


# -- faults in the middle -------------------------------------------------------------------


@pytest.mark.parametrize("failing", UNIT)
def test_when_one_file_of_a_unit_cannot_move_all_of_it_stays(
    folder: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    a_copy_with_companions(folder)
    a_copy_with_companions(folder, "IMG_2", 2)
    plan = planned(folder)
    before = tree(folder)
    really_move = moves.move_away

    def denied(source: Path, target: Path) -> None:
        if source.name == failing:
            raise PermissionError(errno.EACCES, "Permission denied", str(source))
        really_move(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(moves, "move_away", denied)
        outcome = remove(plan)
    assert "cannot be moved: Permission denied" in reasons(outcome)["IMG_1.JPG"]
    assert outcome.files == 4
    assert {path for path in before if path not in tree(folder)} == {f"old/{n.replace('1', '2')}" for n in UNIT}
    undo(folder)
    assert tree(folder) == before


def test_when_the_keeper_goes_while_the_picture_moves_its_companions_come_back_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_copy_with_companions(folder)
    plan = planned(folder)
    before = tree(folder)
    really_move = moves.move_away

    def losing(source: Path, target: Path) -> None:
        really_move(source, target)
        if source.name == "IMG_1.JPG":
            (folder / "kept" / "IMG_1.JPG").unlink()

    monkeypatch.setattr(moves, "move_away", losing)
    assert "its keeper is gone" in reasons(remove(plan))["IMG_1.JPG"]
    assert tree(folder) == {path: facts for path, facts in before.items() if path.startswith("old/")}


@pytest.mark.parametrize("volume", ["same", "other"])
@pytest.mark.parametrize("job", ["remove", "undo"])
def test_a_process_that_dies_at_any_step_leaves_units_whole(
    folder: Path, tmp_path: Path, job: str, volume: str
) -> None:
    a_copy_with_companions(folder)
    plan = planned(folder)
    before = tree(folder)
    unit = {path for path in before if path.startswith("old/")}
    save_plan(plan, tmp_path / "plan.json")
    if job == "undo":
        remove(plan)
    shutil.copytree(folder, tmp_path / "start")
    limit, halves = 1, 0
    while die(job, folder, tmp_path / "plan.json", volume, limit):
        assert not {facts[0] for facts in before.values()} - contents(folder), f"step {limit}"
        halves += 0 < len(unit & set(tree(folder))) < len(unit)
        runs = workflow.runs(folder)  # settles what the crash left
        in_place = unit & set(tree(folder))
        assert in_place == (set() if runs else unit), f"step {limit}"
        if runs:
            undo(folder)
        assert tree(folder) == before, f"step {limit}"
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "start", folder)
        limit += 1
    assert halves >= 3, "it died between the moves of a unit"


def test_an_undo_that_dies_under_another_name_is_finished_under_that_name(folder: Path, tmp_path: Path) -> None:
    a_copy_with_companions(folder)
    remove(planned(folder))
    a_file(folder / "old" / "IMG_1.wav", "another note")
    shutil.copytree(folder, tmp_path / "start")
    limit = 1
    while die("undo", folder, tmp_path / "none", "same", limit):
        if workflow.runs(folder):
            undo(folder)
        back = {name for name in tree(folder) if "(restored)" in name}
        assert back == {f"old/{name.replace('IMG_1', 'IMG_1 (restored)')}" for name in UNIT}, f"step {limit}"
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "start", folder)
        limit += 1
    assert limit > 4


# -- whatever lies there --------------------------------------------------------------------

PICTURES = ["a.jpg", "A.png", "a.gif", "b.jpg", "img_1.jpg", "img_e1.jpg"]
OTHERS = [
    "a.cr2",
    "a.MOV",
    "a.xmp",
    "a.jpg.xmp",
    "a.cr2.xmp",
    "b.nef",
    "c.xmp",
    "img_1.aae",
    "img_e1.aae",
    "img_e1.mov",
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    pictures=st.sets(st.sampled_from(PICTURES), min_size=1),
    others=st.sets(st.sampled_from(OTHERS)),
    doomed=st.sets(st.sampled_from(PICTURES)),
    changed=st.sets(st.sampled_from(PICTURES + OTHERS), max_size=2),
    added=st.sets(st.sampled_from(OTHERS), max_size=1),
)
def test_nothing_is_left_behind_and_nothing_goes_that_a_picture_in_place_needs(
    pictures: set[str], others: set[str], doomed: set[str], changed: set[str], added: set[str]
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve()
        keeper = save_picture(folder / "kept" / "k.png", 1, (60, 40))
        for name in pictures:
            copied(keeper, folder / "old" / name)
        for name in others:
            a_file(folder / "old" / name, name)
        rows = [(folder / "old" / name, keeper) for name in sorted(pictures & doomed)]
        plan = workflow.complete_plan(plan_of(folder, *rows), Recorder())
        for name in (changed & (pictures | others)) | added:
            with (folder / "old" / name).open("ab") as file:
                file.write(b"more")
        before = tree(folder)
        promised = workflow.dry_run(plan, Recorder())
        outcome = workflow.remove(plan, Recorder())
        after = tree(folder)

        assert {path: facts for path, facts in before.items() if path in after} == after
        here = {Path(path).name for path in after if path.startswith("old/")}
        for name in {Path(path).name for path in before if path.startswith("old/")} - pictures:
            owners = {one for one in pictures if belongs(name, one)}
            if name not in here:
                assert owners, name
                assert not owners & here, f"{name} went, though a picture that needs it stays"
            elif owners:
                assert owners & here, f"{name} was left behind"
        assert outcome.files == len(before) - len(after)
        assert promised.files >= outcome.files
        if rows:
            for _ in workflow.runs(folder):
                undo(folder)
        assert tree(folder) == before
