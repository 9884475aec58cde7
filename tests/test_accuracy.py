"""The benchmark's own arithmetic: what counts as found, as a wrong merge, as lost. Its edits can be made again."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT, resaved, save_picture
from PIL import Image, ImageOps

sys.path.insert(0, str(PROJECT / "bench"))

import accuracy
from contradictions import contradictory
from edits import EDITS, TIERS, blended, write_edits
from goals import goals, rate
from others import connected_sets, near_pairs
from scoring import (
    BEST,
    DEFAULT,
    EDIT,
    LARGEST,
    ORIGINAL,
    Deletion,
    PictureSet,
    Placed,
    Recall,
    Result,
    Truth,
    judge_deletion,
    judge_grouping,
    marked,
)
from tables import Run, document


def truth(path: str, *families: str, label: str = EDIT, kind: str = "crop", tier: str = "medium") -> Truth:
    shown = (kind, tier) if label == EDIT else ("", "")
    return Truth(path, frozenset(families or (path,)), label, *shown)


def together(keeper: str, *others: str, tier: str = "edited", mark: bool = False) -> PictureSet:
    return PictureSet(keeper, tuple(Placed(path, tier, mark) for path in others))


ORIGINALS = [truth("a", "A", label=ORIGINAL), truth("b", "B", label=ORIGINAL)]


def test_an_edit_is_found_beside_any_copy_of_its_photo_and_missed_alone_or_among_strangers() -> None:
    edits = [truth("a1", "A"), truth("a2", "A"), truth("a3", "A"), truth("b1", "B")]
    scores = judge_grouping([*ORIGINALS, *edits], [together("a1", "a2"), together("a3", "b")])
    assert scores.recall == {("medium", "crop"): Recall(4, 2, 0)}


def test_standing_with_the_original_itself_is_counted_apart() -> None:
    edits = [truth("a1", "A"), truth("a2", "A"), truth("b1", "B"), truth("b2", "B")]
    scores = judge_grouping([*ORIGINALS, *edits], [together("a1", "a", "a2"), together("b1", "b2")])
    assert scores.recall_of("medium") == Recall(4, 4, 2)
    assert scores.recall_of("hard") == Recall(0, 0, 0)


def test_a_collage_may_stand_with_either_of_its_photos_but_does_not_join_them() -> None:
    truths = [*ORIGINALS, truth("collage", "A", "B")]
    assert judge_grouping(truths, [together("b", "collage")]).recall_of("medium").found == 1
    assert judge_grouping(truths, [together("b", "collage")]).mixed == (0, 0, 0)
    assert judge_grouping(truths, [together("collage", "a", "b")]).mixed == (0, 2, 0)


def test_labelled_copies_are_scored_where_another_of_their_group_is_there() -> None:
    truths = [truth(name, family, label="same") for name, family in [("x", "X"), ("y", "X"), ("z", "Z")]]
    assert judge_grouping(truths, []).same == Recall(2, 0, 0)
    assert judge_grouping(truths, [together("x", "y")]).same.found == 2


def test_a_stranger_spoils_a_set_only_as_surely_as_the_tool_put_it_there() -> None:
    truths = [*ORIGINALS, truth("a1", "A")]
    unsure = PictureSet("a", (Placed("a1", "same picture", True), Placed("b", "edited", False)))
    scores = judge_grouping(truths, [unsure])
    assert scores.mixed == (0, 3, 0)
    assert [(one.path, one.keeper, one.tier) for one in scores.wrong] == [("b", "a", "edited")]
    sure = PictureSet("a", (Placed("a1", "edited", False), Placed("b", "same picture", True)))
    assert judge_grouping(truths, [sure]).mixed == (2, 1, 0)


@pytest.mark.parametrize("tier", ["look-alike", "similar", ""])
def test_what_is_not_verified_is_counted_by_itself(tier: str) -> None:
    scores = judge_grouping(ORIGINALS, [together("a", "b", tier=tier)])
    assert scores.mixed == (0, 0, 2)


def test_look_alikes_are_counted_by_label_and_certainty() -> None:
    truths = [*(truth(name, label="burst") for name in "pqr"), truth("s", label="variant")]
    scores = judge_grouping(truths, [together("p", "q", tier="same pixels"), together("r", "s")])
    assert scores.in_sets == {"not_dup": (0, 0, 0), "burst": (2, 1, 0), "variant": (0, 1, 0)}
    assert scores.look_alikes == {"not_dup": 0, "burst": 3, "variant": 1}


def test_a_deleted_picture_is_lost_unless_another_of_its_family_stays() -> None:
    truths = [*ORIGINALS, truth("a1", "A"), truth("b1", "B"), truth("p", label="burst")]
    deletion = judge_deletion(truths, {"a", "b", "b1", "p"})
    assert (deletion.deleted, deletion.lost) == (4, ("b", "b1", "p"))
    assert deletion.look_alikes == {"not_dup": 0, "burst": 1, "variant": 0}


def test_an_original_is_gone_when_only_other_pixels_of_it_stay() -> None:
    png = truth("png", "A", kind="png", tier="exact")
    truths = [*ORIGINALS, png, truth("a1", "A"), truth("b1", "B")]
    assert judge_deletion(truths, {"a"}).originals_gone == 0
    assert judge_deletion(truths, {"a"}).files_gone == 1
    assert judge_deletion([*truths, truth("twin", "A", kind="byte copy", tier="exact")], {"a"}).files_gone == 0
    assert judge_deletion(truths, {"a", "png"}).originals_gone == 1
    # Deleted with everything else it is lost, which is counted there.
    assert judge_deletion(truths, {"a", "png", "b", "b1"}).originals_gone == 1
    assert judge_deletion(truths, {"a"}).photos == 2


def test_the_rule_of_the_other_tools_chains_and_keeps_the_largest_file() -> None:
    sizes = {"a": 1, "b": 5, "c": 3, "d": 2, "e": 2}
    sets = connected_sets([("a", "c"), ("c", "b"), ("e", "d")], sizes)
    assert [(one.keeper, [placed.path for placed in one.others]) for one in sets] == [("b", ["c", "a"]), ("d", ["e"])]
    assert marked(sets) == {"a", "c", "e"}


def test_hashes_match_up_to_the_bits_given_and_no_further() -> None:
    bits = np.zeros((4, 64), dtype=bool)
    bits[1, :8], bits[2, :9], bits[3, 30:] = True, True, True
    hashes = dict(zip("wxyz", bits, strict=True))
    assert sorted(near_pairs(hashes, 8)) == [("w", "x"), ("x", "y")]
    assert near_pairs({"w": bits[0]}, 8) == []


def product(found: int, gone: int, lost: tuple[str, ...] = ()) -> Result:
    """A result with 100 hard edits, 100 look-alikes of which one is in a set, and 100 photos."""
    truths = [*ORIGINALS, *(truth(f"p{number}", label="burst") for number in range(100))]
    edits = [truth(f"a{number}", "A", tier="hard") for number in range(100)]
    names = [edit.path for edit in edits[:found]]
    grouping = judge_grouping([*truths, *edits], [together("a", *names), together("b", "p0")])
    deletion = Deletion(len(lost), lost, {"not_dup": 0, "burst": len(lost), "variant": 0}, 100, gone, gone)
    return Result("it", "", grouping, {DEFAULT: deletion, LARGEST: deletion, BEST: deletion}, 1.0, 1.0)


def test_goals_are_reached_at_their_figure_and_missed_beside_it() -> None:
    reached = {goal.what: goal.reached for goal in goals(product(92, 14))}
    assert reached["recall of hard edits"] is True
    assert reached["recall of easy edits"] is None
    assert reached["look-alikes in a set at tier edited or surer"] is False
    assert reached[f"look-alikes deleted: {DEFAULT}"] is True
    assert reached[f"originals gone: {LARGEST}"] is None
    assert reached[f"originals gone: {BEST}"] is True
    missed = {goal.what: goal.reached for goal in goals(product(91, 15, ("p0",)))}
    assert missed["recall of hard edits"] is False
    assert missed[f"originals gone: {BEST}"] is False
    assert missed[f"look-alikes deleted: {DEFAULT}"] is False
    assert missed[f"deleted without a surviving true copy: {DEFAULT}"] is False


def test_a_rate_of_one_means_all() -> None:
    assert (rate(99_999, 100_000), rate(5, 5), rate(0, 0)) == ("0.999", "1.000", "-")


def test_the_report_names_the_goals_that_are_missed() -> None:
    text = document(Run("command", ["a fact"], [product(50, 20, ("p0",))], {"numpy": "2"}))
    assert "| recall of hard edits | 0.920 | 0.500 (50 of 100) | **MISSED** |" in text
    assert "- p0" in text


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    return [save_picture(tmp_path / "photos" / f"{seed}.jpg", seed, (160, 120)) for seed in (1, 2)]


def test_the_same_seed_makes_the_same_edits_and_another_seed_others(photos: list[Path], tmp_path: Path) -> None:
    def made(out: str, seed: int) -> dict[str, bytes]:
        rows = write_edits(photos, tmp_path / out, seed=seed)
        return {row["path"]: (tmp_path / out / row["path"]).read_bytes() for row in rows}

    first = made("first", 1)
    assert len(first) == 2 * (len(EDITS) + 1)
    assert made("again", 1) == first
    assert made("other", 2) != first


def test_there_are_many_kinds_of_edit_in_every_tier_and_exact_ones_keep_the_pixels(
    photos: list[Path], tmp_path: Path
) -> None:
    assert len({edit.name for edit in EDITS}) == len(EDITS) >= 40
    assert {edit.tier for edit in EDITS} == set(TIERS)
    rows = write_edits(photos, tmp_path / "out")
    originals = {row["group"]: pixels(tmp_path / "out" / row["path"]) for row in rows if row["label"] == "distinct"}
    for row in rows:
        same = np.array_equal(pixels(tmp_path / "out" / row["path"]), originals[row["group"]])
        assert same == (row["tier"] in ("exact", "")), row["kind"]


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def test_the_scratch_folder_holds_what_is_scored_and_each_photo_once(photos: list[Path], tmp_path: Path) -> None:
    folder = photos[0].parent
    for name, seed in (("burst.jpg", 5), ("torture.jpg", 6), ("copy.jpg", 7), ("copy2.jpg", 7)):
        save_picture(folder / name, seed, (160, 120))
    labels = {"1.jpg": "distinct", "2.jpg": "distinct", "burst.jpg": "burst", "torture.jpg": "torture"}
    with (folder / "manifest.csv").open("w", newline="") as file:
        rows = [*labels.items(), ("copy.jpg", "same"), ("copy2.jpg", "same")]
        csv.writer(file).writerows([("path", "label", "group"), *((path, label, "g") for path, label in rows)])
    root = tmp_path / "scratch"
    truths = accuracy.prepare(folder, accuracy.labelled_rows(folder), photos[:1], root, 1)
    there = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.suffix != ".csv" and path.is_file()}
    assert {one.path for one in truths} == there
    by_label = {one.path: (one.label, one.families) for one in truths if one.label != EDIT}
    assert by_label == {
        "edits/0000/original.jpg": ("original", {"photo 0"}),
        "labelled/2.jpg": ("distinct", {"2.jpg"}),
        "labelled/burst.jpg": ("burst", {"burst.jpg"}),
        "labelled/copy.jpg": ("same", {"group g"}),
        "labelled/copy2.jpg": ("same", {"group g"}),
    }


def test_a_look_alike_is_left_out_where_it_is_a_photo_of_its_source_at_another_size(tmp_path: Path) -> None:
    save_picture(tmp_path / "photo.jpg", 3, (800, 600))
    resaved(tmp_path / "photo.jpg", tmp_path / "smaller.jpg", 0.6, quality=90)
    with Image.open(tmp_path / "photo.jpg") as image:
        blended(image, "other words", 1.0).save(tmp_path / "words.jpg", quality=90)
    paths = {"photo.jpg": "distinct", "smaller.jpg": "burst", "words.jpg": "variant"}
    rows = [{"path": path, "label": label, "source": "one"} for path, label in paths.items()]
    assert contradictory(tmp_path, rows) == {"smaller.jpg"}
    rows[0]["source"] = "another"
    assert contradictory(tmp_path, rows) == set()
