"""Groups: every removal matches a keeper that stays, and the keeper is the best by the rule."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from conftest import find, index, names_of, save_picture
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.keep import MARKS, STRATEGIES, Group, KeepRule, Match, bytes_freed, make_groups, rule_for
from dedup.store import Picture
from dedup.tiers import EDITED, IDENTICAL, LOOK_ALIKE

ONE, TWO = Path("/pictures/one"), Path("/pictures/two")
Edges = Mapping[tuple[int, int], float]


def picture(path: str, size: int = 1000, root: Path = ONE, pixels: int = 640, mtime_ns: int = 5) -> Picture:
    return Picture(root, path, size, mtime_ns, pixels, 480, "JPEG", path.encode())


@dataclass(frozen=True)
class Graph:
    """Pictures and which of them match, how well."""

    pictures: list[Picture]
    edges: Edges

    def similarity(self, first: int, second: int) -> float | None:
        return self.edges.get((min(first, second), max(first, second)))

    def matches_of(self, number: int) -> Iterable[Match]:
        for first, second in self.edges:
            if number in (first, second):
                other = second if number == first else first
                yield Match(other, self.edges[first, second], LOOK_ALIKE)

    def groups(
        self, rule: KeepRule | None = None, order: Callable[[list[int]], None] = lambda rows: None
    ) -> list[Group]:
        candidates = sorted({number for edge in self.edges for number in edge})
        order(candidates)
        return make_groups(self.pictures, candidates, self.matches_of, rule or KeepRule(), mark=MARKS["all"])

    def number(self, one: Picture) -> int:
        return self.pictures.index(one)


def paths(groups: list[Group]) -> list[list[str]]:
    return [[one.path for one in group.pictures] for group in groups]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """A random match graph over pictures in two folders, with many ties in size and time."""
    count = draw(st.integers(2, 14))
    pictures = [
        picture(
            draw(st.sampled_from(["a", "b", "sub/long name"])) + str(number),
            draw(st.sampled_from([100, 200, 300])),
            draw(st.sampled_from([ONE, TWO])),
            draw(st.sampled_from([320, 640])),
            draw(st.sampled_from([1, 2])),
        )
        for number in range(count)
    ]
    pairs = [(first, second) for first in range(count) for second in range(first + 1, count)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=40))
    return Graph(pictures, {pair: draw(st.sampled_from([0.95, 0.97, 0.99, 1.0])) for pair in chosen})


RULES = st.sampled_from([KeepRule(), KeepRule((ONE,)), KeepRule((TWO,)), KeepRule((ONE / "sub",))])


# -- what is marked ---------------------------------------------------------------------


def test_matches_that_are_not_sure_are_shown_unmarked_and_identical_files_are_marked() -> None:
    pictures = [picture("a", 3000), picture("b", 2000), picture("c", 1000)]
    matches = {
        0: [Match(1, 0.97, LOOK_ALIKE, sure=False), Match(2, 1.0, IDENTICAL, sure=False)],
        1: [Match(0, 0.97, LOOK_ALIKE, sure=False)],
        2: [Match(0, 1.0, IDENTICAL, sure=False)],
    }
    (group,) = make_groups(pictures, [0, 1, 2], matches.__getitem__, KeepRule(), mark=MARKS["all"])
    assert {member.picture.path: member.marked for member in group.others} == {"b": False, "c": True}
    assert bytes_freed([group]) == 1000


def test_a_member_says_of_how_many_bits_its_match_was() -> None:
    pictures = [picture("a", 3000), picture("b", 2000), picture("c", 1000)]
    matches = {
        0: [Match(1, 0.875, LOOK_ALIKE, 64), Match(2, 0.97, LOOK_ALIKE)],
        1: [Match(0, 0.875, LOOK_ALIKE, 64)],
        2: [Match(0, 0.97, LOOK_ALIKE)],
    }
    (group,) = make_groups(pictures, [0, 1, 2], matches.__getitem__, KeepRule())
    assert {member.picture.path: member.bits for member in group.others} == {"b": 64, "c": 0}


# -- what holds for any graph -----------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(graphs(), RULES)
def test_no_picture_is_in_two_groups(graph: Graph, rule: KeepRule) -> None:
    seen = [one for group in graph.groups(rule) for one in group.pictures]
    assert len(seen) == len(set(seen))


@settings(max_examples=200, deadline=None)
@given(graphs(), RULES)
def test_every_removal_directly_matches_its_own_keeper(graph: Graph, rule: KeepRule) -> None:
    for group in graph.groups(rule):
        assert group.others
        for member in group.others:
            assert graph.similarity(graph.number(group.keeper), graph.number(member.picture)) == member.similarity
            assert member.marked


@settings(max_examples=200, deadline=None)
@given(graphs(), RULES)
def test_the_keeper_is_the_best_of_its_group(graph: Graph, rule: KeepRule) -> None:
    for group in graph.groups(rule):
        assert min(group.pictures, key=rule.key) == group.keeper


@settings(max_examples=200, deadline=None)
@given(graphs(), RULES)
def test_a_picture_of_a_protected_folder_is_never_to_be_removed(graph: Graph, rule: KeepRule) -> None:
    for group in graph.groups(rule):
        for member in group.others:
            assert not any(member.picture.full_path.is_relative_to(folder) for folder in rule.protected)


@settings(max_examples=200, deadline=None)
@given(graphs(), RULES)
def test_nothing_removable_that_matches_a_kept_picture_is_overlooked(graph: Graph, rule: KeepRule) -> None:
    groups = graph.groups(rule)
    removed = {member.picture for group in groups for member in group.others}
    for first, second in graph.edges:
        pair = {graph.pictures[first], graph.pictures[second]}
        free = [one for one in pair if not rule.keeps(one)]
        # Of two that match, at most one stays, unless both are protected.
        assert pair & removed or not free


@settings(max_examples=200, deadline=None)
@given(graphs(), RULES, st.randoms(use_true_random=False))
def test_the_order_of_the_candidates_changes_nothing(graph: Graph, rule: KeepRule, chance: random.Random) -> None:
    expected = graph.groups(rule)
    assert graph.groups(rule, chance.shuffle) == expected
    # Nor does the order of the pictures themselves.
    order = list(range(len(graph.pictures)))
    chance.shuffle(order)
    place = {number: at for at, number in enumerate(order)}
    edges = {tuple(sorted((place[a], place[b]))): similarity for (a, b), similarity in graph.edges.items()}
    assert Graph([graph.pictures[number] for number in order], edges).groups(rule) == expected  # type: ignore[arg-type]


@settings(max_examples=100, deadline=None)
@given(graphs(), RULES)
def test_groups_and_their_members_come_surest_first(graph: Graph, rule: KeepRule) -> None:
    groups = graph.groups(rule)
    best = [group.others[0].similarity for group in groups]
    assert best == sorted(best, reverse=True)
    for group in groups:
        similarities = [member.similarity for member in group.others]
        assert similarities == sorted(similarities, reverse=True)


# -- the field's disasters --------------------------------------------------------------


def test_a_chain_of_seven_does_not_lose_six() -> None:
    # Fault 5: each matched only the next one; the ends had nothing in common.
    pictures = [picture(f"{number}", 1000 - number) for number in range(7)]
    graph = Graph(pictures, {(number, number + 1): 0.97 for number in range(6)})
    assert paths(graph.groups()) == [["0", "1"], ["2", "3"], ["4", "5"]]


def test_a_star_whose_centre_is_not_the_best_loses_only_what_matches_the_best() -> None:
    pictures = [picture("centre", 500), picture("best", 900), picture("left", 300), picture("right", 200)]
    graph = Graph(pictures, {(0, 1): 0.97, (0, 2): 0.97, (0, 3): 0.97})
    assert paths(graph.groups()) == [["best", "centre"]]


def test_pictures_that_match_nobody_make_no_group() -> None:
    assert make_groups([picture("a"), picture("b")], [0, 1], lambda number: [], KeepRule()) == []
    assert make_groups([], [], lambda number: [], KeepRule()) == []


def test_a_picture_is_never_its_own_duplicate() -> None:
    assert make_groups([picture("a")], [0], lambda number: [Match(0, 1.0, LOOK_ALIKE)], KeepRule()) == []


# -- which one stays --------------------------------------------------------------------


def keeper_of(*pictures: Picture, rule: KeepRule | None = None) -> str:
    edges = {(a, b): 0.99 for a in range(len(pictures)) for b in range(a + 1, len(pictures))}
    (group,) = Graph(list(pictures), edges).groups(rule)
    return group.keeper.path


def test_the_largest_file_is_kept_by_default() -> None:
    assert keeper_of(picture("a", 10), picture("b", 30), picture("c", 20)) == "b"


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (picture("z", pixels=800), picture("a", pixels=640)),
        (picture("z", mtime_ns=1), picture("a", mtime_ns=2)),
        (picture("z.jpg"), picture("a (1).jpg")),
        (picture("a.jpg"), picture("b.jpg")),
        (picture("a.jpg", root=ONE), picture("a.jpg", root=TWO)),
    ],
    ids="pixels age name path folder".split(),
)
def test_among_equal_sizes_the_tie_is_always_broken_the_same_way(better: Picture, worse: Picture) -> None:
    assert KeepRule().key(better) < KeepRule().key(worse)
    for pair in ([better, worse], [worse, better]):
        (group,) = Graph(pair, {(0, 1): 1.0}).groups()
        assert group.keeper == better


def test_a_protected_picture_is_kept_even_where_it_is_the_smallest() -> None:
    small, large = picture("small", 1, TWO), picture("large", 9999, ONE)
    assert keeper_of(large, small) == "large"
    assert keeper_of(large, small, rule=KeepRule((TWO,))) == "small"


def test_copies_within_a_protected_folder_all_stay() -> None:
    pictures = [picture("a", 1, TWO), picture("b", 2, TWO), picture("c", 3, ONE)]
    graph = Graph(pictures, {(0, 1): 1.0, (0, 2): 1.0, (1, 2): 1.0})
    assert paths(graph.groups(KeepRule((TWO,)))) == [["b", "c"]]
    assert paths(Graph(pictures[:2], {(0, 1): 1.0}).groups(KeepRule((TWO,)))) == []


def test_a_protected_folder_protects_its_subfolders_and_not_its_namesakes() -> None:
    rule = KeepRule((ONE / "best",))
    assert rule.keeps(picture("best/a.jpg"))
    assert rule.keeps(picture("best/deep/a.jpg"))
    assert rule.keeps(replace(picture("a.jpg"), root=ONE / "best" / "inner"))
    assert not rule.keeps(picture("best of all/a.jpg"))
    assert not rule.keeps(picture("a.jpg"))
    assert not KeepRule().keeps(picture("best/a.jpg"))


def test_the_strategies_of_the_menu_protect_the_folder_they_name() -> None:
    assert list(STRATEGIES) == ["largest", "first", "second", "best"]
    assert [rule_for(name, [ONE, TWO]).protected for name in STRATEGIES] == [(), (ONE,), (TWO,), ()]


def test_between_equal_files_the_folder_named_first_keeps_its_own() -> None:
    in_two, in_one = (replace(picture("a name", 50), root=root) for root in (TWO, ONE))
    assert min([in_two, in_one], key=rule_for("largest", [ONE, TWO]).key) is in_one
    assert min([in_two, in_one], key=rule_for("largest", [TWO, ONE]).key) is in_two


def test_bytes_freed_counts_what_is_marked() -> None:
    graph = Graph([picture("a", 50), picture("b", 40), picture("c", 30)], {(0, 1): 1.0, (0, 2): 0.97})
    (group,) = graph.groups()
    assert bytes_freed([group]) == 70
    kept = replace(group, others=(group.others[0], replace(group.others[1], marked=False)))
    assert bytes_freed([kept]) == 40


def test_the_second_folders_copies_go_when_everything_in_the_first_is_kept(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for seed in range(3):
        save_picture(one / f"{seed}.png", seed)
    two.mkdir()
    shutil.copy2(one / "0.png", two / "from one.png")
    shutil.copy2(one / "0.png", one / "copy in one.png")
    for place in (one, two):
        index(place)
    for strategy, removed in (("first", {"from one.png"}), ("second", {"0.png", "copy in one.png"})):
        found = find(one, two, rule=rule_for(strategy, [one, two]))
        assert {name for group in names_of(found) for name in group[1:]} == removed


@pytest.mark.parametrize(("mark", "expected"), [("same", {"grey copy"}), ("edited", {"grey", "grey copy"})])
def test_identical_copies_of_an_edit_are_marked_also_where_edits_are_not(mark: str, expected: set[str]) -> None:
    pictures = [picture("original", size=30), picture("grey", size=20), picture("grey copy", size=20)]
    matches = {
        0: [Match(1, 0.9, EDITED, edit=2), Match(2, 0.9, EDITED, edit=2)],
        1: [Match(0, 0.9, EDITED, edit=1), Match(2, 1.0, IDENTICAL)],
        2: [Match(0, 0.9, EDITED, edit=1), Match(1, 1.0, IDENTICAL)],
    }
    groups = make_groups(pictures, [0, 1, 2], matches.__getitem__, KeepRule(), mark=MARKS[mark], edits={1, 2})
    assert {one.picture.path for group in groups for one in group.others if one.marked} == expected
