"""The sets as folders: what is laid out, what deleting there means, and all that must never follow from it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, detector, find, index, resaved, save_picture, tree

from dedup import foldersets, workflow
from dedup.errors import DedupError
from dedup.foldersets.naming import LONGEST, encoded, names_for
from dedup.scan import list_pictures
from dedup.trash import Plan, load_plan, save_plan


@pytest.fixture
def pictures(folder: Path) -> Path:
    """Two sets, indexed: three files of one picture (two of them identical), and two of another."""
    save_picture(folder / "a.png", 1)
    shutil.copy2(folder / "a.png", folder / "a copy.png")
    resaved(folder / "a.png", folder / "sub" / "a.jpg", quality=95)
    save_picture(folder / "b.png", 2)
    resaved(folder / "b.png", folder / "b.jpg", quality=95)
    save_picture(folder / "alone.png", 3)
    index(folder)
    return folder


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "sets"


def lay_out(folder: Path, output: Path, mode: str = "auto", *, again: bool = False) -> foldersets.LaidOut:
    found = find(folder)
    place = foldersets.make_ready(output, found.folders, again=again)
    return foldersets.lay_out(found, place, mode, Recorder(), {})


def laid(output: Path, name: str) -> Path:
    """The laid-out file of an original, by the end of its path."""
    info = json.loads((output / "info.txt").read_text())
    return Path(next(copy for original, copy in info.items() if original.endswith(name)))


def decide(output: Path, **options: Any) -> foldersets.Decisions:
    return foldersets.compare(foldersets.load_manifest(output), output, Recorder(), **options)


def check_and_plan(output: Path, **options: Any) -> foldersets.Cleanup:
    foldersets.write_to_delete(decide(output, **options), output)
    return foldersets.plan_cleanup(foldersets.load_manifest(output), output, Recorder(), **options)


def names(members: list[foldersets.Member]) -> list[str]:
    return sorted(Path(member.original.path).name for member in members)


def removed(cleanup: foldersets.Cleanup) -> list[str]:
    return sorted(Path(row.file.path).name for row in cleanup.plan.removals)


# -- names ----------------------------------------------------------------------------


def test_a_path_becomes_a_name() -> None:
    assert encoded(Path("/photos/vacation1.jpg")) == "photos_vacation1.jpg"
    assert encoded(Path("/home/me/a: b?.jpg")) == "home_me_a_ b_.jpg"


def test_paths_that_would_share_a_name_get_names_of_their_own() -> None:
    paths = [Path("/a/b_c.jpg"), Path("/a_b/c.jpg"), Path("/A/B/C.jpg"), Path("/a/b_c~2.jpg")]
    given = list(names_for(paths))
    assert given[0] == "a_b_c.jpg"
    assert len({name.casefold() for name in given}) == len(paths)


def test_a_name_that_is_too_long_keeps_its_end_and_gets_a_digest() -> None:
    paths = [Path("/" + "/".join(["ordner " + letter * 60] * 9), "ä" * 20 + ".jpeg") for letter in "xy"]
    given = [encoded(path) for path in paths]
    assert all(len(os.fsencode(name)) <= LONGEST for name in given)
    assert all(name.endswith("ä" * 20 + ".jpeg") for name in given)
    assert given[0] != given[1]


def test_a_name_that_is_no_unicode_survives(folder: Path, output: Path) -> None:
    odd = os.fsdecode(b"caf\xe9.png")
    try:
        save_picture(folder / "a.png", 1)
        shutil.copy2(folder / "a.png", folder / odd)
    except OSError:
        pytest.skip("this file system takes no such names")
    index(folder)
    lay_out(folder, output)
    laid(output, odd).unlink()
    assert removed(check_and_plan(output)) == [odd]
    assert (output / "to_delete.txt").read_bytes() == os.fsencode(folder / odd) + b"\n"


def test_a_name_with_a_line_break_is_one_line(folder: Path, output: Path) -> None:
    save_picture(folder / "a.png", 1)
    shutil.copy2(
        folder / "a.png", (folder / "a\n" / "etc").mkdir(parents=True) or folder / "a\n" / "etc" / "passwd.png"
    )
    index(folder)
    lay_out(folder, output)
    laid(output, "passwd.png").unlink()
    cleanup = check_and_plan(output)
    assert len((output / "to_delete.txt").read_text().splitlines()) == 1
    assert [row.file.path for row in cleanup.plan.removals] == [str(folder / "a\n" / "etc" / "passwd.png")]


# -- laying out -----------------------------------------------------------------------


def test_copies_are_whole_have_their_times_and_are_files_of_their_own(pictures: Path, output: Path) -> None:
    before = tree(pictures)
    result = lay_out(pictures, output, "copy")
    for member in result.manifest.members():
        copy, original = output / member.copy, Path(member.original.path)
        assert copy.read_bytes() == original.read_bytes()
        assert copy.stat().st_mtime_ns == original.stat().st_mtime_ns
        assert not copy.samefile(original)
    assert tree(pictures) == before


def test_hard_links_are_made_only_when_asked_for_by_name(pictures: Path, output: Path, tmp_path: Path) -> None:
    auto = lay_out(pictures, output)
    assert auto.manifest.link_mode in ("copy", "reflink")
    linked = lay_out(pictures, tmp_path / "linked", "hardlink")
    assert all((tmp_path / "linked" / one.copy).samefile(one.original.path) for one in linked.manifest.members())


def test_editing_a_laid_out_copy_leaves_the_original_as_it_was(pictures: Path, output: Path) -> None:
    before = tree(pictures)
    result = lay_out(pictures, output)
    for member in result.manifest.members():
        with (output / member.copy).open("ab") as file:
            file.write(b"edited")
    assert tree(pictures) == before


def test_a_folder_with_something_in_it_is_never_used(pictures: Path, output: Path) -> None:
    output.mkdir()
    (output / "thesis.txt").write_text("mine")
    before = tree(output)
    for again in (False, True):
        with pytest.raises(DedupError, match="not empty"):
            lay_out(pictures, output, again=again)
    assert tree(output) == before


def test_a_folder_that_holds_the_pictures_is_never_used(pictures: Path) -> None:
    for place in (pictures, pictures.parent):
        with pytest.raises(DedupError, match="holds the pictures"):
            lay_out(pictures, place)


def test_decisions_are_not_overwritten_and_again_erases_nothing(pictures: Path, output: Path) -> None:
    lay_out(pictures, output)
    laid(output, "a copy.png").unlink()
    (output / "1" / "notes.txt").write_text("mine")
    with pytest.raises(DedupError, match="--again"):
        lay_out(pictures, output)
    before = sorted(digest for digest, _, _ in tree(output).values())
    lay_out(pictures, output, again=True)
    aside = output / "earlier-1"
    assert (aside / "1" / "notes.txt").read_text() == "mine"
    assert (aside / "manifest.json").exists()
    after = [digest for digest, _, _ in tree(output).values()]
    assert all(after.count(digest) >= before.count(digest) for digest in before)
    assert not decide(output).deleted


def test_what_was_laid_out_is_not_scanned(pictures: Path) -> None:
    inside = pictures / "sorting"
    lay_out(pictures, inside)
    assert not any(found.path.startswith("sorting") for found in list_pictures(pictures).files)
    assert [len(group.pictures) for group in find(pictures).groups] == [3, 2]


def test_a_picture_changed_since_it_was_indexed_is_not_laid_out(pictures: Path, output: Path) -> None:
    found = find(pictures)
    (pictures / "b.jpg").write_bytes(b"something else")
    place = foldersets.make_ready(output, found.folders)
    result = foldersets.lay_out(found, place, "copy", Recorder(), {})
    assert [Path(row.path).name for row in result.failed] == ["b.jpg"]
    decisions = decide(output)
    assert names(decisions.never_laid_out) == ["b.jpg"]
    assert not decisions.deleted


def test_a_copy_that_could_not_be_written_is_never_read_as_deleted(
    pictures: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = foldersets.laying.place

    def full(source: Any, target: Path, mode: str) -> None:
        if "b.jpg" in target.name:
            raise OSError(28, "No space left on device")
        real(source, target, mode)

    monkeypatch.setattr(foldersets.laying, "place", full)
    result = lay_out(pictures, output)
    assert [row.reason for row in result.failed] == ["No space left on device"]
    assert str(pictures / "b.jpg") not in json.loads((output / "info.txt").read_text())
    assert not decide(output).deleted
    (output / "to_delete.txt").write_text(f"{pictures / 'b.jpg'}\n")
    cleanup = foldersets.plan_cleanup(foldersets.load_manifest(output), output, Recorder())
    assert not cleanup.plan.removals
    assert "never laid out" in cleanup.refused[0].reason


def test_a_run_that_ended_early_decides_nothing(pictures: Path, output: Path) -> None:
    lay_out(pictures, output)
    whole = (output / "manifest.json").read_text()
    for torn in (whole[: len(whole) // 2], ""):
        (output / "manifest.json").write_text(torn)
        with pytest.raises(DedupError, match="manifest"):
            decide(output)
    (output / "manifest.json").unlink()
    with pytest.raises(DedupError, match="to the end"):
        decide(output)
    lay_out(pictures, output, again=True)
    assert not decide(output).deleted


# -- deciding -------------------------------------------------------------------------


def test_what_was_moved_or_renamed_is_not_deleted(pictures: Path, output: Path) -> None:
    lay_out(pictures, output)
    laid(output, "b.jpg").rename(output / "1" / "dragged here.jpg")
    (output / "good ones").mkdir()
    laid(output, "a.jpg").rename(output / "good ones" / "no suffix")
    decisions = decide(output)
    assert names(decisions.moved) == ["a.jpg", "b.jpg"]
    assert not decisions.deleted


def test_a_twin_that_stays_does_not_stand_for_the_one_deleted(pictures: Path, output: Path) -> None:
    lay_out(pictures, output)
    os.utime(laid(output, "a.png"))  # a viewer touched it
    laid(output, "a copy.png").unlink()
    assert names(decide(output).deleted) == ["a copy.png"]


def test_one_renamed_file_stands_for_one_of_two_twins(pictures: Path, output: Path) -> None:
    lay_out(pictures, output)
    laid(output, "a.png").rename(output / "1" / "keep.png")
    laid(output, "a copy.png").unlink()
    decisions = decide(output)
    assert len(decisions.moved) == len(decisions.deleted) == 1


def test_what_the_file_manager_threw_into_a_trash_beside_is_deleted(pictures: Path, output: Path) -> None:
    lay_out(pictures, output)
    trash = output / ".Trash-1000" / "files"
    trash.mkdir(parents=True)
    laid(output, "b.jpg").rename(trash / "b.jpg")
    assert names(decide(output).deleted) == ["b.jpg"]


def test_a_folder_that_cannot_be_looked_into_decides_nothing(
    pictures: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(pictures, output)
    real = os.scandir

    def scandir(path: Any) -> Any:
        if Path(path).name == "1":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DedupError, match="cannot be looked into"):
        decide(output)


def test_a_set_that_was_deleted_whole_keeps_its_best(pictures: Path, output: Path) -> None:
    result = lay_out(pictures, output)
    for number in ("1", "2"):
        shutil.rmtree(output / number)
    best = sorted(Path(one.members[0].original.path).name for one in result.manifest.sets)
    decisions = decide(output)
    assert decisions.whole_sets == [1, 2]
    assert names(decisions.spared) == best
    cleanup = check_and_plan(output)
    assert not set(best) & set(removed(cleanup))
    assert len(cleanup.plan.removals) == 3
    keepers = {Path(row.keeper.path).name for row in cleanup.plan.removals}
    assert keepers == set(best)


def test_a_whole_set_goes_when_the_person_says_so_by_name(pictures: Path, output: Path) -> None:
    lay_out(pictures, output)
    shutil.rmtree(output / "1")
    before = tree(pictures)
    cleanup = check_and_plan(output, even_last=True)
    assert len(cleanup.plan.removals) == 3
    outcome = workflow.remove(cleanup.plan, Recorder())
    assert (outcome.files, outcome.refused) == (3, [])
    assert not (pictures / "a.png").exists()
    purged = workflow.purge(pictures, None, Recorder())
    assert purged.files == 0, "without a person purge spares what may be the last copy"
    assert workflow.undo(pictures, None, Recorder()).files == 3
    assert tree(pictures) == before


def test_a_saved_plan_cannot_say_that_a_last_copy_may_go(pictures: Path, output: Path, tmp_path: Path) -> None:
    lay_out(pictures, output)
    shutil.rmtree(output / "1")
    cleanup = check_and_plan(output, even_last=True)
    save_plan(cleanup.plan, tmp_path / "plan.json")
    plan: Plan = load_plan(tmp_path / "plan.json")
    outcome = workflow.remove(plan, Recorder())
    assert outcome.files == 0
    assert len(outcome.refused) == 3


def test_what_a_rule_protects_stays_whatever_is_deleted(pictures: Path, output: Path) -> None:
    from dedup.keep import KeepRule

    found = find(pictures, rule=KeepRule((pictures / "sub",)))
    foldersets.lay_out(found, foldersets.make_ready(output, found.folders), "copy", Recorder(), {})
    laid(output, "a.jpg").unlink()
    decisions = decide(output)
    assert names(decisions.protected) == ["a.jpg"]
    assert not decisions.deleted


# -- cleaning up ----------------------------------------------------------------------


def test_lines_that_are_not_ours_are_refused(pictures: Path, output: Path, tmp_path: Path) -> None:
    lay_out(pictures, output)
    laid(output, "b.jpg").unlink()
    foldersets.write_to_delete(decide(output), output)
    other = save_picture(tmp_path / "elsewhere" / "mine.png", 9)
    with (output / "to_delete.txt").open("a") as file:
        file.write(f"{other}\n{pictures / 'alone.png'}\n{pictures / 'a.png'}\n../b.png\n")
    cleanup = foldersets.plan_cleanup(foldersets.load_manifest(output), output, Recorder())
    assert removed(cleanup) == ["b.jpg"]
    assert [row.path for row in cleanup.refused] == [
        str(other),
        str(pictures / "alone.png"),
        str(pictures / "a.png"),
        "../b.png",
    ]


def test_a_line_taken_out_stays_and_a_file_put_back_stays(pictures: Path, output: Path) -> None:
    lay_out(pictures, output)
    kept = laid(output, "a.jpg")
    data = kept.read_bytes()
    for name in ("a.jpg", "b.jpg", "a copy.png"):
        laid(output, name).unlink()
    foldersets.write_to_delete(decide(output), output)
    kept.write_bytes(data)
    lines = (output / "to_delete.txt").read_text().splitlines()
    # Saved by an editor of another system, too.
    (output / "to_delete.txt").write_text("\ufeff" + "\r\n".join(line for line in lines if "b.jpg" not in line))
    cleanup = foldersets.plan_cleanup(foldersets.load_manifest(output), output, Recorder())
    assert removed(cleanup) == ["a copy.png"]


def test_an_original_that_changed_since_is_left_alone(pictures: Path, output: Path) -> None:
    lay_out(pictures, output)
    laid(output, "b.jpg").unlink()
    cleanup = check_and_plan(output)
    (pictures / "b.jpg").write_bytes(b"a newer version")
    outcome = workflow.remove(cleanup.plan, Recorder())
    assert outcome.files == 0
    assert "changed" in outcome.refused[0].reason
    assert (pictures / "b.jpg").read_bytes() == b"a newer version"


def test_a_removal_names_a_match_that_stays_though_the_proposed_keeper_goes(pictures: Path, output: Path) -> None:
    result = lay_out(pictures, output)
    one = next(one for one in result.manifest.sets if len(one.members) == 3)
    for member in (one.members[0], one.members[1]):
        (output / member.copy).unlink()
    cleanup = check_and_plan(output)
    assert len(cleanup.plan.removals) == 2
    assert {row.keeper.path for row in cleanup.plan.removals} == {one.members[2].original.path}
    assert workflow.remove(cleanup.plan, Recorder()).files == 2


def test_the_folder_may_be_moved_between_the_steps(pictures: Path, output: Path, tmp_path: Path) -> None:
    lay_out(pictures, output)
    laid(output, "b.jpg").unlink()
    elsewhere = output.rename(tmp_path / "elsewhere")
    assert removed(check_and_plan(elsewhere)) == ["b.jpg"]


def test_cleaning_up_twice_is_no_trouble(pictures: Path, output: Path) -> None:
    lay_out(pictures, output)
    laid(output, "b.jpg").unlink()
    for expected in (1, 0):
        done = detector("folders", "cleanup", output, "--yes") if expected == 0 else None
        if done is None:
            assert workflow.remove(check_and_plan(output).plan, Recorder()).files == expected
        else:
            assert (done.returncode, "nothing was changed" in done.stdout) == (0, True)


# -- settings -------------------------------------------------------------------------


def test_the_config_is_written_with_comments_and_read_again(pictures: Path, output: Path) -> None:
    found = find(pictures)
    place = foldersets.make_ready(output, found.folders)
    kept = {"folders": [str(pictures)], "threshold": 0.9, "keep": 'with "quotes" and \\'}
    foldersets.lay_out(found, place, "copy", Recorder(), kept)
    text = (output / "config.toml").read_text()
    flowing = text.replace("\n# ", " ")
    assert all(foldersets.KEYS[name].comment in flowing for name in kept)
    assert foldersets.read_config(output / "config.toml") == kept


@pytest.mark.parametrize(
    ("text", "words"), [("colour = 1", "colour"), ("threshold = 'x'", "a number"), ("folders = [", "TOML")]
)
def test_a_config_without_sense_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(DedupError, match=words):
        foldersets.read_config(tmp_path / "config.toml")


def test_check_deleted_gives_the_figures(pictures: Path, output: Path) -> None:
    result = lay_out(pictures, output)
    whole = next(one for one in result.manifest.sets if len(one.members) == 2)
    best, other = (member.original.path for member in whole.members)
    shutil.rmtree(output / str(whole.number))
    laid(output, "a.jpg").rename(output / "renamed.jpg")
    done = detector("folders", "check-deleted", output)
    assert done.returncode == 0, done.stderr
    lines = {line[:16].strip(): line[16:] for line in done.stdout.splitlines()}
    assert lines["Laid out"] == "2 sets, 5 files"
    assert lines["Still there"] == "3 files (1 of them moved or renamed)"
    assert lines["Deleted"].startswith("2 files")
    assert lines["Deleted whole"].startswith("1 set")
    assert best in done.stdout, "the best of the set deleted whole is named as one that stays"
    assert (output / "to_delete.txt").read_text() == f"{other}\n"


def test_a_flag_comes_before_the_config_of_the_folder(pictures: Path, output: Path) -> None:
    lay_out(pictures, output)
    (output / "config.toml").write_text("dry_run = true\n")
    laid(output, "b.jpg").unlink()
    assert detector("folders", "check-deleted", output).returncode == 0
    assert "would remove" in detector("folders", "cleanup", output, "--yes").stdout
    assert (pictures / "b.jpg").exists()
    assert detector("folders", "cleanup", output, "--yes", "--no-dry-run").returncode == 0
    assert not (pictures / "b.jpg").exists()


def test_without_a_terminal_cleanup_asks_for_yes(pictures: Path, output: Path) -> None:
    lay_out(pictures, output)
    laid(output, "b.jpg").unlink()
    detector("folders", "check-deleted", output)
    done = detector("folders", "cleanup", output)
    assert done.returncode == 1
    assert "--yes" in done.stderr
    assert (pictures / "b.jpg").exists()
