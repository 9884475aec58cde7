"""Keep rules: chains a person arranges, folders with a policy, and the reason that is said of each set."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from conftest import PROJECT, find, index, save_picture
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from dedup import workflow
from dedup.errors import DedupError
from dedup.keep import (
    BEST,
    CRITERIA,
    LARGEST,
    MARKS,
    Evidence,
    Group,
    Headers,
    KeepRule,
    Match,
    make_groups,
    rule_for,
    understand_chain,
)
from dedup.metadata import Metadata
from dedup.store import Picture
from dedup.tiers import EDITED, SAME_PICTURE, TIERS

ONE, TWO = Path("/pictures/one"), Path("/pictures/two")
NAMES = [one.name for one in CRITERIA]
TAKEN = Metadata(taken="2020-05-01T10:00:00")


def picture(path: str, size: int = 1000, root: Path = ONE, width: int = 640, mtime_ns: int = 5) -> Picture:
    return Picture(root, path, size, mtime_ns, width, 480, "JPEG", f"{root}/{path}".encode())


def evidence(camera: Mapping[str, Metadata] | None = None, enlarged: Iterable[int] = ()) -> Evidence:
    """Headers by file name; which numbers are enlargements."""
    known = camera or {}
    return Evidence(Headers(lambda path: known.get(path.name, Metadata())), lambda number: number in set(enlarged))


def group_of(*pictures: Picture, chain: str = "largest", known: Evidence | None = None, **folders: object) -> Group:
    """The one group of pictures that all match each other."""
    everyone = range(len(pictures))

    def matches_of(number: int) -> list[Match]:
        return [Match(other, 0.99, SAME_PICTURE) for other in everyone if other != number]

    rule = replace(rule_for(chain, [ONE, TWO]), **folders)  # type: ignore[arg-type]
    (group,) = make_groups(list(pictures), everyone, matches_of, rule, evidence=known or evidence())
    return group


# -- each criterion ---------------------------------------------------------------------

A = picture("a.jpg")


@pytest.mark.parametrize(
    ("criterion", "better", "worse"),
    [
        ("most-pixels", replace(A, path="b.jpg", width=641), A),
        ("clearly-more-pixels", replace(A, path="b.jpg", width=1200), A),
        ("better-format", replace(A, path="b.png", format="PNG"), A),
        ("better-format", replace(A, path="b.jpg"), replace(A, path="a.gif", format="GIF")),
        ("full-colours", replace(A, path="b.jpg"), replace(A, path="a.gif", format="GIF")),
        ("least-compressed", replace(A, path="b.png", format="PNG"), A),
        ("largest-file", replace(A, path="b.jpg", size=1001), A),
        ("oldest", replace(A, path="b.jpg", mtime_ns=4), A),
        ("newest", replace(A, path="b.jpg", mtime_ns=6), A),
        ("shortest-path", replace(A, path="b.j"), A),
        ("no-copy-suffix", replace(A, path="longer name.jpg"), replace(A, path="a (1).jpg")),
        ("no-copy-suffix", replace(A, path="longer name.jpg"), replace(A, path="a copy.jpg")),
        ("no-copy-suffix", replace(A, path="longer name.jpg"), replace(A, path="Copy of a.jpg")),
        ("first-folder", replace(A, path="longer name.jpg"), replace(A, root=TWO)),
    ],
)
def test_a_criterion_decides_where_it_stands_first_and_is_named_as_the_reason(
    criterion: str, better: Picture, worse: Picture
) -> None:
    reason = next(one.reason for one in CRITERIA if one.name == criterion)
    for pair in ((better, worse), (worse, better)):
        group = group_of(*pair, chain=criterion)
        assert (group.keeper, group.reason) == (better, reason)


def test_a_plain_number_at_the_end_is_no_copys_suffix() -> None:
    group = group_of(replace(A, path="IMG_0012.jpg"), replace(A, path="IMG_001.jpg"), chain="no-copy-suffix")
    assert group.reason == "shorter path"


def test_numbers_of_pixels_that_are_about_equal_leave_it_to_the_next_criterion() -> None:
    larger, older = replace(A, path="b.jpg", width=650), replace(A, mtime_ns=1)
    assert group_of(larger, older, chain="clearly-more-pixels,oldest").keeper == older
    assert group_of(larger, older, chain="most-pixels,oldest").keeper == larger


def test_the_one_with_its_cameras_metadata_stays_where_the_chain_asks_for_it() -> None:
    small, large = picture("small.jpg", 10), picture("large.jpg", 20)
    known = evidence({"small.jpg": TAKEN})
    assert group_of(small, large, known=known).reason == "larger file"
    group = group_of(small, large, chain="camera-metadata", known=known)
    assert (group.keeper, group.reason) == (small, "more of its camera's metadata")
    placed = evidence({"small.jpg": TAKEN, "large.jpg": replace(TAKEN, gps=(1.0, 2.0))})
    assert group_of(small, large, chain="camera-metadata", known=placed).keeper == large


def test_headers_are_read_once_for_each_content_and_only_when_a_criterion_asks() -> None:
    read: list[str] = []

    def reader(path: Path) -> Metadata:
        read.append(path.name)
        return Metadata()

    pictures = [picture("a.jpg"), picture("b.jpg"), replace(picture("c.jpg"), digest=picture("a.jpg").digest)]
    group_of(*pictures, known=Evidence(Headers(reader)))
    assert read == []
    group_of(*pictures, chain="camera-metadata", known=Evidence(Headers(reader)))
    assert sorted(read) == ["a.jpg", "b.jpg"]


def test_an_enlargement_does_not_stay_where_the_chain_asks() -> None:
    large, small = picture("large.jpg", 20, width=1280), picture("small.jpg", 10)
    group = group_of(large, small, chain="not-upscaled,most-pixels", known=evidence(enlarged=[0]))
    assert (group.keeper, group.reason) == (small, "not enlarged")


def test_the_steps_of_a_jpeg_are_those_of_its_quality_not_of_its_size(tmp_path: Path) -> None:
    save_picture(tmp_path / "fine.jpg", 1, (64, 48), quality=95)
    save_picture(tmp_path / "coarse.jpg", 1, (640, 480), quality=60)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 nothing")
    steps = {
        name: Headers().step(replace(A, root=tmp_path, path=name, digest=name.encode()))
        for name in ("fine.jpg", "coarse.jpg", "broken.jpg", "gone.jpg")
    }
    assert (tmp_path / "fine.jpg").stat().st_size < (tmp_path / "coarse.jpg").stat().st_size
    assert 0 < steps["fine.jpg"] < steps["broken.jpg"] == steps["gone.jpg"] < steps["coarse.jpg"]


# -- the chain --------------------------------------------------------------------------


def test_the_first_criterion_that_tells_two_apart_decides() -> None:
    wide, old, large = (
        replace(A, path="b", width=999),
        replace(A, path="c", mtime_ns=1),
        replace(A, path="d", size=9999),
    )
    for chain, keeper in (("most-pixels,oldest", wide), ("oldest,most-pixels", old), ("largest", large)):
        assert group_of(wide, old, large, chain=chain).keeper == keeper


def test_the_reason_tells_of_every_other_picture_what_it_lost_by() -> None:
    keeper, smaller, younger = picture("k", 20), picture("s", 10), picture("y", 20, mtime_ns=9)
    assert group_of(keeper, smaller, younger).reason == "larger file, then older file"
    assert group_of(replace(keeper, path="b"), replace(keeper, path="a")).reason.startswith("first by its name")


def test_a_chain_is_understood_as_it_is_typed_and_what_is_wrong_with_it_is_said() -> None:
    assert understand_chain("largest") == LARGEST
    assert understand_chain("best") == BEST
    assert understand_chain(" Most-Pixels , oldest") == ("most-pixels", "oldest")
    with pytest.raises(DedupError, match="no reason to keep") as problem:
        understand_chain("most-pixels,nicest")
    assert all(name in problem.value.remedy for name in NAMES)
    with pytest.raises(DedupError, match="stands twice"):
        understand_chain("oldest,oldest")
    with pytest.raises(DedupError):
        understand_chain("")
    with pytest.raises(DedupError, match="two folders"):
        rule_for("second", [ONE])


def test_best_quality_asks_in_the_order_that_is_promised() -> None:
    order = ["clearly-more-pixels", "not-upscaled", "better-format", "camera-metadata", "largest-file", "oldest"]
    assert [name for name in BEST if name in order] == order


# -- any chain, any folders -------------------------------------------------------------


@dataclass(frozen=True)
class Graph:
    """Pictures, their matches with tier and edit, and what their headers say."""

    pictures: list[Picture]
    edges: dict[tuple[int, int], tuple[float, str, int]]
    edits: frozenset[int]
    camera: dict[str, Metadata]

    def matches_of(self, number: int) -> Iterable[Match]:
        for (first, second), (similarity, tier, edit) in self.edges.items():
            if number == first:
                yield Match(second, similarity, tier, edit=edit)
            elif number == second:
                yield Match(first, similarity, tier, edit={1: 2, 2: 1}.get(edit, 0))

    def groups(self, rule: KeepRule, order: list[int] | None = None) -> list[Group]:
        rows = range(len(self.pictures)) if order is None else order
        known = evidence(self.camera, enlarged=[])
        return make_groups(
            self.pictures, rows, self.matches_of, rule, mark=MARKS["all"], edits=self.edits, evidence=known
        )

    def shuffled(self, order: list[int]) -> Graph:
        place = {number: at for at, number in enumerate(order)}
        edges = {}
        for (first, second), (similarity, tier, edit) in self.edges.items():
            a, b = place[first], place[second]
            edges[min(a, b), max(a, b)] = (similarity, tier, edit if a < b else {1: 2, 2: 1}.get(edit, 0))
        edits = frozenset(place[number] for number in self.edits)
        return Graph([self.pictures[number] for number in order], edges, edits, self.camera)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(2, 12))
    pictures = [
        replace(
            picture(
                draw(st.sampled_from(["a", "b (1)", "sub/c", "sub/deep/d"])) + str(number),
                draw(st.sampled_from([100, 200])),
                draw(st.sampled_from([ONE, TWO])),
                draw(st.sampled_from([320, 640])),
                draw(st.sampled_from([1, 2])),
            ),
            format=draw(st.sampled_from(["PNG", "GIF", "WEBP"])),
        )
        for number in range(count)
    ]
    pairs = [(first, second) for first in range(count) for second in range(first + 1, count)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=30))
    edges = {
        pair: (draw(st.sampled_from([0.95, 0.99])), draw(st.sampled_from(TIERS[2:])), draw(st.sampled_from([0, 1, 2])))
        for pair in chosen
    }
    camera = {one.full_path.name: TAKEN for one in pictures if draw(st.booleans())}
    return Graph(pictures, edges, draw(st.frozensets(st.integers(0, count - 1), max_size=4)), camera)


FOLDERS = st.lists(
    st.sampled_from([ONE, TWO, ONE / "sub", TWO / "sub" / "deep", Path("/else")]), unique=True, max_size=3
)
CHAINS = st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=6)
RULES = st.builds(
    lambda protected, chain, preferred: KeepRule(tuple(protected), (ONE, TWO), tuple(chain), tuple(preferred)),
    FOLDERS,
    CHAINS,
    FOLDERS,
)


@settings(max_examples=300, deadline=None)
@given(graphs(), RULES)
def test_whatever_the_chain_nothing_protected_goes_and_each_removal_matches_its_own_keeper(
    graph: Graph, rule: KeepRule
) -> None:
    groups = graph.groups(rule)
    numbers = {one.full_path: number for number, one in enumerate(graph.pictures)}
    seen = [one for group in groups for one in group.pictures]
    assert len(seen) == len(set(seen)), "no picture is in two sets"
    for group in groups:
        assert group.reason
        direct = {match.other: match for match in graph.matches_of(numbers[group.keeper.full_path])}
        for member in group.others:
            assert not any(member.picture.full_path.is_relative_to(folder) for folder in rule.protected)
            match = direct[numbers[member.picture.full_path]]
            assert (member.similarity, member.tier) == (match.similarity, match.tier)
            if member.tier == EDITED and member.marked:
                lost = member.picture.full_path.name in graph.camera and group.keeper.full_path.name not in graph.camera
                assert not lost
                assert match.edit != 1


@settings(max_examples=200, deadline=None)
@given(graphs(), RULES, st.randoms(use_true_random=False))
def test_whatever_the_chain_the_order_of_the_pictures_changes_nothing(
    graph: Graph, rule: KeepRule, chance: random.Random
) -> None:
    expected = graph.groups(rule)
    order = list(range(len(graph.pictures)))
    chance.shuffle(order)
    assert graph.groups(rule, order) == expected
    assert graph.shuffled(order).groups(rule) == expected


@settings(max_examples=100, deadline=None)
@given(graphs(), CHAINS)
def test_a_keeper_is_better_than_the_copies_it_is_as_sure_of(graph: Graph, chain: list[str]) -> None:
    graph = replace(graph, edits=frozenset(), edges=dict.fromkeys(graph.edges, (0.99, SAME_PICTURE, 0)), camera={})
    rule = KeepRule(chain=tuple(chain))
    for group in graph.groups(rule):
        assert min(group.pictures, key=rule.key) == group.keeper


# -- folders ----------------------------------------------------------------------------


def test_preferred_folders_come_before_the_chain_in_their_own_order_and_after_protection() -> None:
    small, large = picture("sub/small", 1), picture("large", 9)
    assert group_of(small, large, preferred=(ONE / "sub",)).reason == "in the preferred folder"
    assert group_of(small, large, preferred=(ONE / "sub",)).keeper == small
    assert group_of(small, large, preferred=(ONE, ONE / "sub")).keeper == large
    other = picture("other", 1, TWO)
    assert group_of(other, large, preferred=(TWO, ONE)).keeper == other
    assert group_of(other, large, preferred=(TWO,), protected=(ONE / "x", ONE)).keeper == large
    assert group_of(other, large, chain="largest-file,preferred-folder", preferred=(TWO,)).keeper == large


@pytest.fixture
def shelves(folder: Path) -> Path:
    """Two subfolders that each hold a pair of copies, one picture in both, and one beside them."""
    for name in ("one", "two", "one/deep"):
        (folder / name).mkdir()
    for place, seed in (("one/1", 1), ("one/deep/1 again", 1), ("two/2", 2), ("two/2 again", 2)):
        save_picture(folder / f"{place}.png", seed)
    for place in ("one/3", "two/3", "3"):
        save_picture(folder / f"{place}.png", 3)
    for place in ("4", "4 again"):
        save_picture(folder / f"{place}.png", 4)
    index(folder)
    return folder


def together(found: workflow.Found) -> set[frozenset[str]]:
    return {frozenset(one.path for one in group.pictures) for group in found.groups}


def test_pairs_within_a_folder_compared_only_across_are_left_out(shelves: Path) -> None:
    threes, fours = frozenset({"3.png", "one/3.png", "two/3.png"}), frozenset({"4.png", "4 again.png"})
    ones = frozenset({"one/1.png", "one/deep/1 again.png"})
    twos = frozenset({"two/2.png", "two/2 again.png"})
    one, two = str(shelves / "one"), str(shelves / "two")
    assert together(find(shelves)) == {ones, twos, threes, fours}
    assert together(find(shelves, across=(one, two))) == {threes, fours}
    assert together(find(shelves, across=(one,))) == {twos, threes, fours}
    assert together(find(shelves, across=(one, str(shelves / "one" / "deep")))) == {twos, threes, fours}
    assert together(find(shelves, across=(str(shelves),))) == set()
    assert together(find(shelves, across=(str(shelves / "no such"),))) == {ones, twos, threes, fours}


def test_between_several_folders_a_folder_that_holds_two_of_them_keeps_them_apart(shelves: Path) -> None:
    roots = [shelves / "one", shelves / "two"]
    for root in roots:
        index(root)
    assert len(find(*roots).groups) == 1
    assert find(*roots, across=(str(shelves),)).groups == []
    within = find(*roots, within=True, across=(str(roots[0]),))
    assert sorted(len(group.pictures) for group in within.groups) == [2, 2]
    # Inside its own folder nothing is compared in any case.
    assert len(find(*roots, across=(str(roots[0] / "deep"),)).groups) == 1


# -- edits of which nothing but the camera tells the original ---------------------------


def darker(image: Image.Image) -> Image.Image:
    return image.point(lambda level: level * 0.8)


def altered(folder: Path, alter: Callable[[Image.Image], Image.Image], *, camera: str) -> None:
    """A picture and an edit of it, the second the larger file; which of them has a capture date."""
    with Image.open(save_picture(folder / "drawn.png", 7, (640, 480))) as image:
        plain = image.convert("RGB")
    (folder / "drawn.png").unlink()
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2021:02:03 04:05:06"
    texture = Image.effect_noise(plain.size, 40).convert("RGB")
    photo = Image.blend(plain, texture, 0.3)
    for name, image, quality in (("plain.jpg", photo, 85), ("edit.jpg", alter(photo), 97)):
        options = {"exif": exif} if camera == name else {}
        image.save(folder / name, quality=quality, **options)
    index(folder)


@pytest.mark.parametrize("camera", ["plain.jpg", "edit.jpg"])
@pytest.mark.parametrize("alter", [ImageOps.mirror, darker], ids=["mirror", "darker"])
def test_of_a_picture_and_its_edit_the_one_with_a_capture_date_stays(
    folder: Path, alter: Callable[[Image.Image], Image.Image], camera: str
) -> None:
    altered(folder, alter, camera=camera)
    (group,) = find(folder, mark="edited").groups
    assert (group.keeper.path, group.reason) == (camera, "has its camera's metadata")
    assert group.others[0].marked


def test_an_edit_that_must_stay_does_not_take_the_only_picture_with_a_capture_date_along(folder: Path) -> None:
    altered(folder, ImageOps.mirror, camera="plain.jpg")
    (folder / "kept").mkdir()
    (folder / "edit.jpg").rename(folder / "kept" / "edit.jpg")
    index(folder)
    (group,) = find(folder, mark="edited", rule=KeepRule((folder / "kept",))).groups
    assert (group.keeper.path, group.others[0].picture.path) == ("kept/edit.jpg", "plain.jpg")
    assert not group.others[0].marked


# -- said where sets are listed ---------------------------------------------------------


def test_find_says_why_the_keeper_is_the_one(folder: Path) -> None:
    from dedup.commands import as_json
    from dedup.wording import group_lines

    save_picture(folder / "a.png", 1)
    save_picture(folder / "b.bmp", 1)
    index(folder)
    found = find(folder)
    assert json.loads(json.dumps(as_json(found)))["groups"][0]["kept_because"] == "larger file"
    assert group_lines(1, 1, found.groups[0])[1].endswith("kept: larger file)")


def test_the_readme_explains_every_criterion() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"`{name}`" not in readme] == []
    assert f"`{','.join(BEST)}`" in readme


@pytest.mark.parametrize(
    ("better", "reason"),
    [
        (replace(A, path="zz.jpg", size=1001), "larger file"),
        (replace(A, path="zz.jpg", width=641), "more pixels"),
        (replace(A, path="zz.jpg", mtime_ns=4), "older file"),
        (replace(A, path="zz.jpg"), "in the folder named first"),
        (replace(A, path="z", root=TWO), "shorter path"),
    ],
)
def test_what_a_chain_leaves_undecided_is_decided_and_said_as_ever(better: Picture, reason: str) -> None:
    worse = replace(A, path="a.jpg", root=TWO if reason == "in the folder named first" else better.root)
    group = group_of(better, worse, chain="no-copy-suffix")
    assert (group.keeper, group.reason) == (better, reason)
