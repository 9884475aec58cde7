"""Index, find, verify and forget, on real files with a fake encoder."""

from __future__ import annotations

import dataclasses
import math
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import FAKE, FAST, FakeEncoder, Recorder, find, index, names_of, picture, resaved, save_picture, tree
from PIL import Image

from dedup import settings, workflow
from dedup.errors import DedupError
from dedup.keep import KeepRule
from dedup.progress import Cancelled, Event, Progress
from dedup.workflow import Wanted, plan_marked

OTHER = replace(FAKE, encoder="another", checkpoint="elsewhere")


def five(folder: Path, first_seed: int) -> Path:
    """Five pictures that look like no other seed's."""
    for seed in range(first_seed, first_seed + 5):
        save_picture(folder / f"{seed}.png", seed)
    return folder


def copied(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
    return target


def marked(*folders: Path, **options: object) -> set[str]:
    """The paths marked for removal, relative to the folders' common parent."""
    parent = Path(os.path.commonpath(folders))
    parent = parent.parent if parent in folders else parent
    rows = plan_marked(find(*folders, **options)).removals
    return {str(Path(row.file.path).relative_to(parent)) for row in rows}


def reasons(found: workflow.Found) -> dict[str, str]:
    return {Path(row.path).name: row.reason for row in found.skipped}


# -- which pairs are found --------------------------------------------------------------------


@pytest.mark.parametrize("copy", ["same bytes", "other bytes"])
def test_two_folders_of_five_that_share_one_picture_report_exactly_that_pair(tmp_path: Path, copy: str) -> None:
    # Fault 2: between two databases nothing was found while both held fewer than 70,000 pictures.
    one, two = five(tmp_path / "one", 0), five(tmp_path / "two", 10)
    (two / "12.png").unlink()
    target = two / "shared.png"
    if copy == "same bytes":
        copied(one / "3.png", target)
    else:
        resaved(one / "3.png", target, 0.5)
    for folder in (one, two):
        index(folder)
    for folders in ([one, two], [two, one]):
        found = find(*folders)
        assert found.pictures == 10
        assert len(found.groups) == 1
        assert {picture.full_path for picture in found.groups[0].pictures} == {one / "3.png", target}


def test_every_picture_is_found_with_its_own_vector(folder: Path) -> None:
    # Fault 1: paths came from one query and vectors from another, so every vector belonged to another file.
    order = [7, 2, 9, 0, 5, 1, 8, 3, 6, 4]
    for rank, seed in enumerate(order):
        save_picture(folder / f"{rank:02d}.png", seed)
        if seed % 2:
            resaved(folder / f"{rank:02d}.png", folder / f"{99 - rank}.png", 0.5)
        index(folder)
    pairs = {frozenset(names) for names in names_of(find(folder))}
    assert pairs == {frozenset((f"{rank:02d}.png", f"{99 - rank}.png")) for rank, seed in enumerate(order) if seed % 2}


def test_between_folders_a_pair_inside_one_folder_is_not_reported(tmp_path: Path) -> None:
    one, two = five(tmp_path / "one", 0), five(tmp_path / "two", 10)
    copied(one / "1.png", one / "copy of 1.png")
    copied(two / "11.png", two / "copy of 11.png")
    for folder in (one, two):
        index(folder)
    assert find(one, two).groups == []
    assert marked(one, two, within=True) == {"one/copy of 1.png", "two/copy of 11.png"}


def test_three_folders_are_compared_with_each_other(tmp_path: Path) -> None:
    folders = [five(tmp_path / name, 10 * number) for number, name in enumerate(("one", "two", "three"))]
    copied(folders[0] / "0.png", folders[1] / "copy of 0.png")
    copied(folders[1] / "11.png", folders[2] / "copy of 11.png")
    copied(folders[2] / "22.png", folders[0] / "copy of 22.png")
    for folder in folders:
        index(folder)
    assert marked(*folders) == {"two/copy of 0.png", "three/copy of 11.png", "one/copy of 22.png"}


@pytest.mark.parametrize("within", [True, False])
def test_what_was_found_is_remembered_and_what_changed_since_is_found(
    tmp_path: Path, within: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dedup.neighbours.WORTH_REMEMBERING", 0)
    folders = [five(tmp_path / name, 10 * number) for number, name in enumerate(("one", "two"))]

    def found() -> set[frozenset[str]]:
        for folder in folders:
            index(folder)
        return {frozenset(names) for names in names_of(find(*folders, within=within))}

    copied(folders[0] / "0.png", folders[1] / "a.png")
    first = found()
    assert first == found() == {frozenset({"0.png", "a.png"})}
    assert list((settings.home() / "matches").iterdir())
    resaved(folders[0] / "1.png", folders[1] / "b.png", 0.5)
    (folders[1] / "a.png").unlink()
    assert found() == {frozenset({"1.png", "b.png"})}
    # Between folders it counts where a picture lies, not only what it shows.
    (folders[1] / "b.png").rename(folders[0] / "b.png")
    assert found() == ({frozenset({"1.png", "b.png"})} if within else set())
    (folders[0] / "b.png").rename(folders[1] / "b.png")
    assert found() == {frozenset({"1.png", "b.png"})}


def test_nested_folders_report_no_picture_as_its_own_copy(tmp_path: Path) -> None:
    # Fault 3: with nested folders a file was deleted as its own duplicate.
    outer = five(tmp_path / "outer", 0)
    inner = five(outer / "inner", 10)
    for folder in (outer, inner):
        index(folder)
    for folders in ([outer, inner], [inner, outer], [outer, inner, outer]):
        for within in (False, True):
            found = find(*folders, within=within)
            assert found.groups == []
            assert found.pictures == 10


def test_a_true_copy_in_a_nested_folder_is_found_once_and_belongs_to_the_inner_folder(tmp_path: Path) -> None:
    outer = five(tmp_path / "outer", 0)
    inner = five(outer / "inner", 10)
    copied(outer / "1.png", inner / "a copy of 1.png")
    for folder in (outer, inner):
        index(folder)
    plan = plan_marked(find(outer, inner))
    assert [(row.folder, row.file.path) for row in plan.removals] == [(str(inner), str(inner / "a copy of 1.png"))]
    before = tree(outer)
    workflow.remove(plan, Recorder())
    assert (outer / "1.png").exists()
    workflow.undo(inner, None, Recorder())
    assert tree(outer) == before


def test_overlapping_folders_report_only_copies(tmp_path: Path) -> None:
    root = five(tmp_path / "root", 0)
    one, two = five(root / "one", 10), five(root / "two", 20)
    copied(one / "10.png", two / "copy of 10.png")
    for folder in (root, one, two):
        index(folder)
    assert marked(root, one, two) == {"root/two/copy of 10.png"}


def test_the_same_folder_twice_has_nothing_between_its_two_names(tmp_path: Path) -> None:
    folder = five(tmp_path / "pictures", 0)
    copied(folder / "1.png", folder / "copy of 1.png")
    index(folder)
    (tmp_path / "link").symlink_to(folder)
    for second in (folder, folder / ".", folder / ".." / "pictures", tmp_path / "link"):
        assert find(folder, second).groups == []
        assert find(folder, second).folders == [folder]
    assert len(find(tmp_path / "link").groups) == 1


def test_a_symlink_and_its_target_are_one_picture(folder: Path, tmp_path: Path) -> None:
    # Fault 4: the link was kept and the real file deleted.
    five(folder, 0)
    (folder / "link.png").symlink_to("1.png")
    (folder / "linked folder").symlink_to(tmp_path / "elsewhere")
    five(tmp_path / "elsewhere", 0)
    result = index(folder)
    assert (result.pictures, result.links) == (5, 1)
    assert find(folder).groups == []
    two = tmp_path / "two"
    two.mkdir()
    (two / "link to 2.png").symlink_to(folder / "2.png")
    index(two)
    assert find(folder, two).groups == []


def test_hard_links_are_one_picture_within_a_folder_and_between_folders(tmp_path: Path) -> None:
    one, two = five(tmp_path / "one", 0), five(tmp_path / "two", 10)
    os.link(one / "1.png", one / "another name.png")
    os.link(one / "2.png", two / "a name elsewhere.png")
    for folder in (one, two):
        index(folder)
    assert find(one).groups == []
    assert find(one, two).groups == []
    assert find(one, two, within=True).groups == []


def test_the_same_bytes_match_at_threshold_one(folder: Path) -> None:
    # Fault 7: at threshold 1.0 half precision missed byte-identical files.
    five(folder, 0)
    for seed in range(5):
        copied(folder / f"{seed}.png", folder / "sub" / f"copy of {seed}.png")
    resaved(folder / "0.png", folder / "resaved.png", 0.5)
    index(folder)
    found = find(folder, threshold=1.0)
    assert len(found.groups) == 5
    tiers = {member.picture.full_path.name: member.tier for group in found.groups for member in group.others}
    assert all(tiers[f"copy of {seed}.png"] == "identical file" for seed in range(1, 5))
    assert set(tiers.values()) == {"identical file", "same picture"}


def test_a_chain_of_seven_does_not_collapse_onto_one_keeper(folder: Path) -> None:
    # Fault 5: neighbours in the chain look alike, its ends do not; six of seven were deleted.
    for number in range(7):
        angle = math.radians(13 * number)
        values = np.empty((4, 4, 3))
        values[:, :2], values[:, 2:] = 127 + 100 * math.cos(angle), 127 + 100 * math.sin(angle)
        Image.fromarray(values.round().astype(np.uint8)).resize((64, 64), Image.Resampling.NEAREST).save(
            folder / f"{number}.png"
        )
    index(folder)
    found = find(folder, threshold=0.97, mark="all")
    gone = plan_marked(found).removals
    assert 2 <= len(gone) <= 4
    staying = {f"{number}.png" for number in range(7)} - {Path(row.file.path).name for row in gone}
    for row in gone:
        removed, keeper = int(Path(row.file.path).stem), int(Path(row.keeper.path).stem)
        assert abs(removed - keeper) == 1, "each removal directly matches its keeper"
        assert f"{keeper}.png" in staying
        assert row.similarity >= 0.97


def test_each_member_names_its_similarity_and_tier(folder: Path) -> None:
    save_picture(folder / "1.png", 1, compress_level=0)
    copied(folder / "1.png", folder / "exact.png")
    resaved(folder / "1.png", folder / "other bytes.png", 0.5)
    index(folder)
    (group,) = find(folder).groups
    members = {member.picture.full_path.name: member for member in group.others}
    assert (members["exact.png"].tier, members["exact.png"].similarity) == ("identical file", 1.0)
    assert members["other bytes.png"].tier == "same picture"
    assert 0.98 <= members["other bytes.png"].similarity < 1.0


def test_finding_changes_nothing_on_the_disk(folder: Path) -> None:
    five(folder, 0)
    copied(folder / "1.png", folder / "copy.png")
    index(folder)
    before = tree(folder)
    find(folder)
    assert tree(folder) == before


@pytest.mark.parametrize("threshold", [-0.01, 1.01, 96.0, math.nan])
def test_a_threshold_outside_its_bounds_is_refused(folder: Path, threshold: float) -> None:
    five(folder, 0)
    index(folder)
    with pytest.raises(DedupError, match="between 0 and 1") as caught:
        find(folder, threshold=threshold)
    assert caught.value.remedy


# -- which pictures stay ----------------------------------------------------------------------


@pytest.mark.parametrize("kept", ["one", "two"])
def test_everything_in_the_chosen_folder_stays_though_it_is_smaller(tmp_path: Path, kept: str) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for seed in range(4):
        large, small = (one, two) if seed % 2 else (two, one)
        save_picture(large / f"{seed}.jpg", seed, (480, 360))
        resaved(large / f"{seed}.jpg", small / f"{seed} small.jpg", 0.5)
    for folder in (one, two):
        index(folder)
    other = {"one": "two", "two": "one"}[kept]
    expected = {f"{other}/{path.name}" for path in (tmp_path / other).glob("*.jpg")}
    assert marked(one, two, threshold=0.95, rule=KeepRule((tmp_path / kept,))) == expected
    assert marked(one, two, threshold=0.95) == {
        "two/1 small.jpg",
        "two/3 small.jpg",
        "one/0 small.jpg",
        "one/2 small.jpg",
    }


def test_a_kept_folder_loses_nothing_even_to_itself(tmp_path: Path) -> None:
    one, two = five(tmp_path / "one", 0), five(tmp_path / "two", 10)
    copied(one / "1.png", one / "copy.png")
    copied(one / "1.png", two / "copy elsewhere.png")
    for folder in (one, two):
        index(folder)
    assert marked(one, two, within=True, rule=KeepRule((one,))) == {"two/copy elsewhere.png"}


def test_a_kept_folder_inside_another_is_kept(tmp_path: Path) -> None:
    outer = five(tmp_path / "outer", 0)
    inner = outer / "inner"
    copied(outer / "1.png", inner / "copy of 1.png")
    index(outer)
    assert marked(outer, rule=KeepRule((inner,))) == {"outer/1.png"}


# -- verdicts ---------------------------------------------------------------------------------


def dismiss(folder: Path) -> None:
    workflow.remember_not_duplicates([group.pictures for group in find(folder).groups])


def test_a_set_called_not_duplicates_is_not_asked_about_again_after_renaming_and_indexing_again(folder: Path) -> None:
    five(folder, 0)
    resaved(folder / "1.png", folder / "variant.jpg", 1.0)
    copied(folder / "2.png", folder / "exact.png")
    index(folder)
    assert len(find(folder).groups) == 2
    dismiss(folder)
    assert find(folder).groups == []
    (folder / "sub").mkdir()
    (folder / "variant.jpg").rename(folder / "sub" / "another name.jpg")
    (folder / "2.png").rename(folder / "sub" / "renamed.png")
    index(folder)
    assert find(folder).groups == []
    index(folder, again=True)
    assert find(folder).groups == []


def test_a_verdict_silences_only_the_pictures_it_was_about(folder: Path) -> None:
    five(folder, 0)
    resaved(folder / "1.png", folder / "variant.jpg", 1.0)
    index(folder)
    dismiss(folder)
    resaved(folder / "1.png", folder / "another variant.jpg", 1.0, quality=70)
    resaved(folder / "2.png", folder / "variant of 2.jpg", 1.0)
    index(folder)
    pairs = [sorted(names) for names in names_of(find(folder))]
    assert ["2.png", "variant of 2.jpg"] in pairs
    assert any("another variant.jpg" in names for names in pairs)


def test_a_picture_that_changed_since_the_verdict_is_asked_about_again(folder: Path) -> None:
    five(folder, 0)
    resaved(folder / "1.png", folder / "variant.jpg", 1.0)
    index(folder)
    dismiss(folder)
    resaved(folder / "1.png", folder / "variant.jpg", 1.0, quality=70)
    index(folder)
    assert len(find(folder).groups) == 1


def test_a_verdict_on_two_folders_is_known_to_both(tmp_path: Path) -> None:
    one, two = five(tmp_path / "one", 0), five(tmp_path / "two", 10)
    resaved(one / "1.png", two / "variant.jpg", 1.0)
    for folder in (one, two):
        index(folder)
    (group,) = find(one, two).groups
    workflow.remember_not_duplicates([group.pictures])
    assert find(one, two).groups == []
    (two / "variant.jpg").rename(one / "variant.jpg")
    index(one)
    assert find(one).groups == []


# -- encoders and what is not indexed -----------------------------------------------------------


def test_folders_indexed_with_different_encoders_are_refused_with_a_remedy(tmp_path: Path) -> None:
    # Fault 10: a model of equal dimension was mixed in silently.
    one, two = five(tmp_path / "one", 0), five(tmp_path / "two", 0)
    index(one)
    index(two, encoder=FakeEncoder(OTHER))
    with pytest.raises(DedupError, match="different encoders") as caught:
        find(one, two)
    assert "index" in caught.value.remedy
    index(one, encoder=FakeEncoder(OTHER))
    assert find(one, two).encoder == "another"
    assert len(find(one, two).groups) == 5


@pytest.mark.parametrize("part", ["checkpoint", "layer", "preprocessing"])
def test_vectors_that_differ_in_any_part_of_their_origin_are_not_compared(tmp_path: Path, part: str) -> None:
    one, two = five(tmp_path / "one", 0), five(tmp_path / "two", 0)
    index(one)
    index(two, encoder=FakeEncoder(replace(FAKE, **{part: 2 if part == "preprocessing" else "other"})))
    with pytest.raises(DedupError):
        find(one, two)


def test_pictures_that_only_another_encoder_has_seen_are_listed_not_mixed_in(folder: Path) -> None:
    five(folder, 0)
    index(folder)
    five(folder, 10)
    copied(folder / "1.png", folder / "late copy.png")
    index(folder, encoder=FakeEncoder(OTHER))
    found = find(folder, wanted=Wanted("fake"))
    assert found.pictures == 5
    assert found.groups == []
    late = ["10.png", "11.png", "12.png", "13.png", "14.png", "late copy.png"]
    assert reasons(found) == dict.fromkeys(late, "not indexed with fake")
    assert names_of(find(folder)) == [["1.png", "late copy.png"]], "the set with most pictures is the one compared"


def test_another_version_of_an_encoder_encodes_everything_again(folder: Path) -> None:
    five(folder, 0)
    index(folder)
    save_picture(folder / "new.png", 50)
    newer = FakeEncoder(replace(FAKE, preprocessing=2))
    assert index(folder, encoder=newer).encoded == 6
    assert index(folder, encoder=newer).encoded == 0
    assert find(folder).pictures == 6


def test_a_folder_that_was_never_indexed_is_refused_with_the_command_to_run(folder: Path) -> None:
    five(folder, 0)
    with pytest.raises(DedupError, match="has not been indexed") as caught:
        find(folder)
    assert f'index "{folder}"' in caught.value.remedy
    assert not list(folder.glob("image_database*")), "asking leaves nothing behind"


def test_a_folder_whose_trash_was_merely_looked_at_is_still_not_indexed(folder: Path) -> None:
    five(folder, 0)
    assert workflow.runs(folder) == []
    assert not workflow.is_indexed(folder)
    with pytest.raises(DedupError, match="has not been indexed"):
        find(folder)


def test_a_folder_without_the_encoder_asked_for_is_refused(folder: Path) -> None:
    five(folder, 0)
    index(folder)
    with pytest.raises(DedupError, match="another") as caught:
        find(folder, wanted=Wanted("another"))
    assert "--encoder another" in caught.value.remedy


def test_no_folder_and_a_missing_folder_are_explained(tmp_path: Path) -> None:
    with pytest.raises(DedupError, match="No folder"):
        find()
    with pytest.raises(DedupError, match="nowhere"):
        find(tmp_path / "nowhere")


def test_an_empty_folder_has_no_duplicates_with_anything(tmp_path: Path) -> None:
    one, empty = five(tmp_path / "one", 0), tmp_path / "empty"
    empty.mkdir()
    for folder in (one, empty):
        index(folder)
    assert find(empty).groups == []
    assert find(one, empty).groups == find(empty, one).groups == []


def test_new_changed_and_unreadable_files_take_no_part_and_are_listed_with_reasons(folder: Path) -> None:
    five(folder, 0)
    for seed in range(3):
        copied(folder / f"{seed}.png", folder / f"copy of {seed}.png")
    (folder / "broken.png").write_bytes(b"not a picture")
    (folder / "empty.jpg").touch()
    index(folder)
    copied(folder / "3.png", folder / "new copy of 3.png")
    picture(99).save(folder / "copy of 1.png")
    (folder / "copy of 2.png").unlink()
    found = find(folder)
    assert names_of(found) == [["0.png", "copy of 0.png"]]
    assert found.pictures == 6
    listed = reasons(found)
    assert set(listed) == {"new copy of 3.png", "copy of 1.png", "broken.png", "empty.jpg"}
    assert listed["new copy of 3.png"] == listed["copy of 1.png"] == "new or changed since it was indexed"
    assert "not a picture" in listed["broken.png"]
    assert "empty" in listed["empty.jpg"]


# -- indexing -----------------------------------------------------------------------------------


def test_only_new_and_changed_pictures_are_encoded_again(folder: Path) -> None:
    five(folder, 0)
    encoder = FakeEncoder()
    assert (index(folder, encoder=encoder).encoded, encoder.encoded) == (5, 5)
    assert index(folder, encoder=encoder).encoded == 0
    save_picture(folder / "new.png", 50)
    picture(51).save(folder / "1.png")
    assert index(folder, encoder=encoder).encoded == 2
    assert encoder.encoded == 7
    assert index(folder, encoder=encoder, again=True).encoded == 6


def test_a_changed_picture_is_compared_as_it_is_now(folder: Path) -> None:
    # Fault 13: changed files were never hashed again.
    five(folder, 0)
    index(folder)
    resaved(folder / "2.png", folder / "1.png", 1.0, compress_level=1)
    index(folder)
    assert [sorted(names) for names in names_of(find(folder))] == [["1.png", "2.png"]]


def test_a_moved_and_a_touched_picture_are_recognised_and_not_encoded_again(folder: Path) -> None:
    five(folder, 0)
    index(folder)
    (folder / "sub").mkdir()
    (folder / "1.png").rename(folder / "sub" / "moved.png")
    (folder / "2.png").rename(folder / "renamed.png")
    (folder / "3.png").touch()
    result = index(folder)
    assert (result.encoded, result.moved, result.gone, result.pictures) == (0, 2, 0, 5)
    assert find(folder).skipped == []


def test_unreadable_files_are_listed_and_left_alone_until_they_change(folder: Path) -> None:
    five(folder, 0)
    (folder / "broken.png").write_bytes(b"not a picture")
    first = index(folder)
    assert set(first.unreadable) == {"broken.png"}
    assert (first.pictures, first.encoded, first.newly_unreadable) == (5, 5, 1)
    second = index(folder)
    assert set(second.unreadable) == {"broken.png"}
    assert (second.encoded, second.newly_unreadable) == (0, 0)
    save_picture(folder / "broken.png", 50)
    third = index(folder)
    assert (third.unreadable, third.encoded) == ({}, 1)


def test_a_stopped_index_goes_on_where_it_stopped(folder: Path) -> None:
    five(folder, 0)
    chosen = dataclasses.replace(FAST, batch_size=2)

    def stop_after_two(event: Event) -> None:
        if isinstance(event, Progress) and event.what == "pictures" and event.done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        workflow.index(folder, chosen, stop_after_two, encoder=FakeEncoder())
    assert workflow.status(folder)["pictures"] == 2
    assert workflow.index(folder, chosen, Recorder(), encoder=FakeEncoder()).encoded == 3


def test_names_that_are_not_valid_unicode_are_indexed_and_found(folder: Path) -> None:
    five(folder, 0)
    odd = copied(folder / "1.png", folder / os.fsdecode(b"sub \xe9") / os.fsdecode(b"caf\xe9\n.png"))
    index(folder)
    assert index(folder).encoded == 0
    (group,) = find(folder).groups
    assert {picture.full_path for picture in group.pictures} == {folder / "1.png", odd}


# -- status, verify, ghosts -----------------------------------------------------------------------


def test_the_status_compares_the_database_with_the_disk(folder: Path) -> None:
    five(folder, 0)
    (folder / "broken.png").write_bytes(b"not a picture")
    index(folder)
    save_picture(folder / "new.png", 50)
    picture(51).save(folder / "1.png")
    (folder / "2.png").unlink()
    status = workflow.status(folder)
    assert status["folder"] == str(folder)
    assert (status["pictures"], status["new"], status["changed"], status["gone"]) == (5, 1, 1, 1)
    assert [row["path"] for row in status["unreadable"]] == [str(folder / "broken.png")]
    assert "not a picture" in status["unreadable"][0]["reason"]
    assert [(row["encoder"], row["pictures"]) for row in status["sets"]] == [("fake", 5)]
    assert (status["in_trash"], status["runs"], status["foreign_table"]) == (0, [], False)
    assert workflow.waiting_to_be_indexed(folder) == 2


def test_the_status_lists_the_runs_in_the_trash(folder: Path) -> None:
    five(folder, 0)
    copied(folder / "1.png", folder / "copy.png")
    index(folder)
    outcome = workflow.remove(plan_marked(find(folder)), Recorder())
    status = workflow.status(folder)
    (run,) = status["runs"]
    assert (run["id"], run["files"], run["bytes"]) == (outcome.run_id, 1, outcome.bytes)
    (listed,) = workflow.runs(folder)
    assert (listed.id, listed.folders) == (outcome.run_id, (str(folder),))
    assert status["in_trash"] == 1


def test_verifying_reports_what_differs_and_changes_nothing(folder: Path) -> None:
    five(folder, 0)
    index(folder)
    save_picture(folder / "new.png", 50)
    picture(51).save(folder / "1.png")
    (folder / "2.png").unlink()
    for _ in range(2):
        health = workflow.verify(folder)
        assert (health.pictures, health.files_on_disk, health.new) == (5, 5, 1)
        assert (health.ghosts, health.changed) == (["2.png"], ["1.png"])
        assert (health.problems, health.unreadable, health.in_trash) == ([], {}, 0)


def test_ghosts_are_forgotten_and_moved_pictures_keep_their_rows(folder: Path) -> None:
    five(folder, 0)
    index(folder)
    (folder / "1.png").unlink()
    (folder / "2.png").rename(folder / "moved.png")
    assert workflow.forget_ghosts(folder) == 1
    assert workflow.forget_ghosts(folder) == 0
    assert workflow.verify(folder).ghosts == []
    assert workflow.status(folder)["pictures"] == 4
    assert index(folder).encoded == 0


def test_pictures_in_the_trash_are_not_ghosts(folder: Path) -> None:
    five(folder, 0)
    copied(folder / "1.png", folder / "copy.png")
    index(folder)
    workflow.remove(plan_marked(find(folder)), Recorder())
    assert workflow.verify(folder).ghosts == []
    assert workflow.forget_ghosts(folder) == 0
    workflow.undo(folder, None, Recorder())
    assert index(folder).encoded == 0


def test_a_folder_is_indexed_once_its_database_holds_something(folder: Path) -> None:
    five(folder, 0)
    assert not workflow.is_indexed(folder)
    index(folder)
    assert workflow.is_indexed(folder)


def test_a_folder_of_unreadable_files_counts_as_indexed(folder: Path) -> None:
    (folder / "broken.png").write_bytes(b"not a picture")
    assert not workflow.is_indexed(folder)
    index(folder)
    assert workflow.is_indexed(folder), "asking again would find nothing to encode"
    assert find(folder).groups == []
