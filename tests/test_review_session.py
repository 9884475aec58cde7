"""The rules of a review: one picture of a set always stays, and what goes matches one that stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from dedup.keep import Group, KeepRule, Match, Member
from dedup.review.session import ReviewSession
from dedup.store import Picture
from dedup.tiers import EDITED, IDENTICAL, LOOK_ALIKE, SAME_PICTURE, TIERS
from dedup.workflow import Found

ROOT, KEPT = Path("/pictures"), Path("/pictures/never remove")
Pair = tuple[int, int]


def a_picture(number: int, group: int = 0, *, protected: bool = False) -> Picture:
    """Pictures whose sizes tell which of them were added up."""
    name = f"set {group} picture {number + 1}.jpg"
    path = f"{KEPT.name}/{name}" if protected else name
    digest = bytes([group, number]) * 16
    return Picture(ROOT, path, 10_000 + (1 << (number + 8 * group)), 7, 640, 480, "JPEG", digest)


def found_with(groups: Iterable[Group], related: Callable[[Picture, Picture], bool], kept: Path | None = None) -> Found:
    return found_in_tiers(groups, lambda one, two: LOOK_ALIKE if related(one, two) else "", kept)


def found_in_tiers(groups: Iterable[Group], tier: Callable[[Picture, Picture], str], kept: Path | None = None) -> Found:
    def relation(first: Picture, second: Picture) -> Match | None:
        return Match(0, 0.97, tier(first, second)) if tier(first, second) else None

    return Found("fake", 0.96, [ROOT], 99, [], list(groups), KeepRule((kept,) if kept else ()), relation)


def a_session(
    count: int, unrelated: Iterable[Pair] = (), *, protected: Iterable[int] = (), sets: int = 1
) -> ReviewSession:
    """Sets of ``count`` pictures, all but the first marked; all match but the pairs given."""
    apart = {frozenset(pair) for pair in unrelated}
    pictures = [[a_picture(n, group, protected=n in set(protected)) for n in range(count)] for group in range(sets)]
    numbers = {picture: number for row in pictures for number, picture in enumerate(row)}
    kept = set(protected)
    groups = [
        Group(row[0], tuple(Member(one, 0.97, LOOK_ALIKE, marked=n not in kept) for n, one in enumerate(row) if n))
        for row in pictures
    ]
    return ReviewSession(
        found_with(groups, lambda one, two: frozenset((numbers[one], numbers[two])) not in apart, KEPT)
    )


def planned(session: ReviewSession) -> dict[str, str]:
    """Name of each planned removal -> name of its keeper."""
    return {Path(row.file.path).name: Path(row.keeper.path).name for row in session.plan().removals}


def name(number: int, group: int = 0) -> str:
    return f"set {group} picture {number + 1}.jpg"


def test_a_review_starts_with_what_find_proposed() -> None:
    session = a_session(4, protected=[2])
    assert session.current.keeper == 0
    assert session.current.marked == {1, 3}
    assert planned(session) == {name(1): name(0), name(3): name(0)}


def test_a_picture_is_switched_between_keep_and_remove() -> None:
    session = a_session(3)
    assert "stays" in session.toggle(1)
    assert session.current.marked == {2}
    assert "to be removed" in session.toggle(1)
    assert session.current.marked == {1, 2}


def test_the_last_picture_kept_cannot_be_removed() -> None:
    # No press of a key, and no number of them, may empty a set.
    session = a_session(3)
    message = session.toggle(0)
    assert "always stays" in message
    assert session.current.kept == [0]
    assert session.current.marked == {1, 2}


def test_removing_the_keeper_makes_another_kept_picture_the_keeper() -> None:
    session = a_session(3)
    session.toggle(2)
    session.toggle(0)
    assert session.current.keeper == 2
    assert planned(session) == {name(0): name(2), name(1): name(2)}


def test_a_new_keeper_takes_the_old_ones_place() -> None:
    session = a_session(3)
    assert "keeper" in session.make_keeper(1)
    assert session.current.keeper == 1
    assert session.current.marked == {0, 2}
    assert "already" in session.make_keeper(1)
    assert session.current.marked == {0, 2}


def test_a_kept_picture_can_become_the_keeper() -> None:
    session = a_session(3)
    session.toggle(2)
    session.make_keeper(2)
    assert (session.current.keeper, session.current.marked) == (2, {0, 1})


def test_what_does_not_match_the_new_keeper_stays_and_is_named() -> None:
    session = a_session(4, unrelated=[(1, 3)])
    message = session.make_keeper(1)
    assert session.current.marked == {0, 2}
    assert "4" in message
    assert "stays" in message


def test_an_old_keeper_that_does_not_match_the_new_one_stays() -> None:
    session = a_session(3, unrelated=[(0, 1)])
    session.make_keeper(1)
    assert session.current.keeper == 1
    assert session.current.marked == {2}


def test_a_removal_keeps_its_match_when_the_picture_that_stays_is_not_the_keeper() -> None:
    session = a_session(4, unrelated=[(1, 3), (1, 2)])
    session.toggle(2)
    session.toggle(1)
    session.make_keeper(1)
    # 1 stays as the keeper, 2 stays too; 3 matches only 2 among them.
    assert session.current.marked == {0, 3}
    assert planned(session) == {name(0): name(1), name(3): name(2)}


def test_a_picture_whose_only_match_goes_stays_itself() -> None:
    session = a_session(3, unrelated=[(1, 2)])
    session.toggle(1)
    session.toggle(0)
    assert session.current.marked == {0}, "2 matched only the picture that goes"
    assert planned(session) == {name(0): name(1)}


def test_a_picture_that_matches_nothing_kept_is_not_said_to_be_removed() -> None:
    session = a_session(3, unrelated=[(1, 2)])
    session.toggle(1)
    session.toggle(0)
    message = session.toggle(1)
    assert 1 not in session.current.marked
    assert "is to be removed" not in message
    assert "stays" in message


def test_everything_in_the_chosen_folder_stays() -> None:
    session = a_session(3, protected=[0])
    session.toggle(1)
    assert "folder is kept" in session.toggle(0)
    assert session.current.marked == {2}


def test_a_protected_keeper_stays_when_another_picture_becomes_the_keeper() -> None:
    session = a_session(3, protected=[0])
    session.make_keeper(1)
    assert session.current.keeper == 1
    assert 0 not in session.current.marked
    assert session.current.marked == {2}


def test_not_duplicates_keeps_everything_until_it_is_taken_back() -> None:
    session = a_session(3)
    session.make_keeper(1)
    session.toggle(2)
    before = (session.current.keeper, set(session.current.marked))
    assert "not asked" in session.toggle_not_duplicates()
    assert session.current.marked == set()
    assert session.totals() == (0, 0)
    assert session.plan().removals == ()
    assert session.not_duplicates() == [session.current.pictures]
    session.toggle_not_duplicates()
    assert (session.current.keeper, session.current.marked) == before
    assert session.not_duplicates() == []


def test_in_a_set_called_not_duplicates_nothing_can_be_marked() -> None:
    session = a_session(3)
    session.toggle_not_duplicates()
    for message in (session.toggle(1), session.make_keeper(2)):
        assert "take that back first" in message
    assert (session.current.keeper, session.current.marked) == (0, set())


def test_stepping_stops_at_the_ends_and_says_so() -> None:
    session = a_session(2, sets=3)
    assert [session.step(1), session.step(1), session.step(1)] == [True, True, False]
    assert session.position == 2
    assert session.step(-99)
    assert session.position == 0
    assert not session.step(-1)


def test_decisions_stay_with_their_set() -> None:
    session = a_session(2, sets=3)
    session.toggle(1)
    session.step(1)
    session.toggle_not_duplicates()
    session.step(1)
    session.make_keeper(1)
    assert planned(session) == {name(0, 2): name(1, 2)}
    session.step(-2)
    assert session.current.marked == set()
    assert not session.current.not_duplicates


@pytest.mark.parametrize("marked", [0, 1, 3])
def test_the_totals_are_those_of_the_plan(marked: int) -> None:
    session = a_session(4)
    for number in range(marked + 1, 4):
        session.toggle(number)
    plan = session.plan()
    assert session.totals() == (marked, plan.bytes)
    assert len(plan.removals) == marked


def test_the_match_shown_is_the_one_with_the_keeper_of_the_moment() -> None:
    session = a_session(3, unrelated=[(1, 2)])
    assert session.match(2) == Match(0, 0.97, LOOK_ALIKE)
    session.make_keeper(1)
    assert session.match(2) is None


# -- tiers ------------------------------------------------------------------------------------


def in_tiers(
    *sets: Iterable[str], protected: Iterable[Pair] = (), several_frames: Iterable[Pair] = ()
) -> ReviewSession:
    """Sets of a keeper and one picture of each tier named; proposed are "same picture" and surer.

    The others of a set match the keeper only. ``protected`` and ``several_frames`` are (set, number).
    """
    tiers: dict[frozenset[Picture], str] = {}
    groups = []
    for group, wanted in enumerate(sets):
        first, members = a_picture(0, group), []
        for number, tier in enumerate(wanted, 1):
            picture = replace(
                a_picture(number, group, protected=(group, number) in protected),
                several_frames=(group, number) in several_frames,
            )
            tiers[frozenset((first, picture))] = tier
            marked = tier in TIERS[:3] and (group, number) not in protected
            members.append(Member(picture, 0.97, tier, marked=marked))
        groups.append(Group(first, tuple(members)))
    return ReviewSession(found_in_tiers(groups, lambda one, two: tiers.get(frozenset((one, two)), ""), KEPT))


def marked(session: ReviewSession) -> list[set[int]]:
    return [one.marked for one in session.sets]


MIXED = ([IDENTICAL, EDITED], [SAME_PICTURE], [EDITED, EDITED, SAME_PICTURE], [LOOK_ALIKE], [SAME_PICTURE, EDITED])


def test_the_tiers_that_occur_are_counted_the_surest_first() -> None:
    tiers = in_tiers(*MIXED).tiers()
    assert [(tier, tally.pictures, tally.sets) for tier, tally in tiers.items()] == [
        (IDENTICAL, 1, 1),
        (SAME_PICTURE, 3, 3),
        (EDITED, 4, 3),
        (LOOK_ALIKE, 1, 1),
    ]
    assert str(tiers[EDITED]) == "4 pictures in 3 sets"
    assert str(tiers[LOOK_ALIKE]) == "1 picture in 1 set"


def test_a_filter_shows_the_sets_with_a_tier_and_steps_through_those_only() -> None:
    session = in_tiers(*MIXED)
    assert "4 pictures in 3 sets" in session.show_only(EDITED)
    seen = [(session.position, session.where)]
    while session.step(1):
        seen.append((session.position, session.where))
    assert seen == [(0, "1 of 3 (edited only)"), (2, "2 of 3 (edited only)"), (4, "3 of 3 (edited only)")]
    assert not session.step(1)
    assert session.step(-1)
    assert session.position == 2
    assert session.step(-99)
    assert session.position == 0


def test_a_filter_stays_at_the_set_looked_at_or_goes_to_the_first_that_is_shown() -> None:
    session = in_tiers(*MIXED)
    session.step(2)
    session.show_only(EDITED)
    assert session.position == 2
    session.show_only(LOOK_ALIKE)
    assert session.position == 3
    session.show_only("")
    assert (session.position, session.where) == (3, "4 of 5")
    session.show_only(EDITED)
    assert session.position == 0


def test_a_filter_that_would_show_nothing_is_refused() -> None:
    session = in_tiers(*MIXED)
    session.show_only(EDITED)
    assert "No picture" in session.show_only("same pixels")
    assert (session.shown_tier, session.where) == (EDITED, "1 of 3 (edited only)")


def test_the_next_tier_is_each_that_occurs_and_then_all_again() -> None:
    session = in_tiers(*MIXED)
    shown = []
    for _ in range(5):
        session.show_next_tier()
        shown.append(session.shown_tier)
    assert shown == [IDENTICAL, SAME_PICTURE, EDITED, LOOK_ALIKE, ""]


def test_what_is_hidden_by_a_filter_is_decided_as_before() -> None:
    session = in_tiers(*MIXED)
    before = planned(session)
    session.show_only(LOOK_ALIKE)
    assert planned(session) == before
    assert session.totals()[0] == len(before) == 4


def test_a_set_stays_shown_when_its_keeper_changes() -> None:
    # Else the set would vanish under the hand that decides about it.
    session = in_tiers([EDITED], [EDITED])
    session.show_only(EDITED)
    session.make_keeper(1)
    session.toggle_not_duplicates()
    assert (session.position, session.where) == (0, "1 of 2 (edited only)")


def test_all_of_a_tier_are_marked_in_every_set_and_unmarked_again() -> None:
    session = in_tiers(*MIXED)
    proposed = [set(one) for one in marked(session)]
    assert "4 pictures in 3 sets" in session.mark_tier(EDITED)
    assert marked(session) == [{1, 2}, {1}, {1, 2, 3}, set(), {1, 2}]
    assert "marked already: 4 pictures in 3 sets" in session.mark_tier(EDITED)
    assert "4 pictures in 3 sets" in session.unmark_tier(EDITED)
    assert marked(session) == proposed
    assert "No picture marked" in session.unmark_tier(EDITED)


def test_marking_a_tier_counts_only_what_was_not_marked_yet() -> None:
    session = in_tiers(*MIXED)
    session.toggle(2)
    assert "3 pictures in 2 sets" in session.mark_tier(EDITED)


def test_marking_a_tier_ignores_the_filter() -> None:
    session = in_tiers(*MIXED)
    session.show_only(LOOK_ALIKE)
    session.mark_tier(EDITED)
    assert session.totals()[0] == 8


def test_the_tier_is_that_towards_the_keeper_of_the_moment() -> None:
    session = in_tiers([EDITED, SAME_PICTURE])
    session.make_keeper(1)
    assert session.current.marked == {0}, "2 matched the old keeper only"
    session.unmark_tier(SAME_PICTURE)
    assert session.current.marked == {0}
    session.unmark_tier(EDITED)
    assert session.current.marked == set()
    assert session.tier_meant(0) == EDITED
    assert session.tier_meant(2) == ""


def test_what_must_stay_is_not_marked_with_its_tier_and_that_is_said() -> None:
    session = in_tiers([EDITED, EDITED], [EDITED], [EDITED], protected=[(0, 2)])
    session.step(1)
    session.toggle_not_duplicates()
    message = session.mark_tier(EDITED)
    assert marked(session) == [{1}, set(), {1}]
    assert "2 pictures in 2 sets" in message
    assert "Not marked" in message
    assert "2." in message


def test_where_nothing_of_a_tier_may_go_nothing_is_marked() -> None:
    session = in_tiers([EDITED], protected=[(0, 1)])
    assert "No picture that may be removed" in session.mark_tier(EDITED)
    assert marked(session) == [set()]


def test_a_picture_whose_last_match_goes_with_its_tier_stays_and_that_is_said() -> None:
    pictures = [a_picture(number) for number in range(4)]
    pairs = {(0, 1): SAME_PICTURE, (0, 2): SAME_PICTURE, (0, 3): SAME_PICTURE, (1, 2): SAME_PICTURE, (1, 3): EDITED}
    tiers = {frozenset((pictures[one], pictures[two])): tier for (one, two), tier in pairs.items()}
    members = tuple(Member(one, 0.97, SAME_PICTURE, marked=one is pictures[2]) for one in pictures[1:])
    session = ReviewSession(
        found_in_tiers([Group(pictures[0], members)], lambda one, two: tiers.get(frozenset((one, two)), ""))
    )
    session.make_keeper(3)
    assert session.current.marked == {0, 2}
    message = session.mark_tier(EDITED)
    assert session.current.marked == {0, 1}, "the third matched only the second among those that stayed"
    assert "No longer marked" in message
    assert planned(session) == {name(0): name(3), name(1): name(3)}


def test_what_was_proposed_is_marked_again_without_a_question_and_the_rest_with_one() -> None:
    session = in_tiers(*MIXED)
    session.unmark_tier(SAME_PICTURE)
    assert session.question_before(SAME_PICTURE) == ""
    question = session.question_before(EDITED)
    assert "4 pictures in 3 sets" in question
    assert "M again" in question
    assert marked(session)[2] == set()
    session.mark_tier(EDITED)
    assert session.question_before(EDITED) == "", "unmarking needs none"


def test_a_picture_kept_by_hand_is_not_marked_with_its_tier_without_a_question() -> None:
    session = in_tiers([SAME_PICTURE], [SAME_PICTURE])
    session.toggle(1)
    assert "1 picture in 1 set" in session.question_before(SAME_PICTURE)


def test_the_question_tells_of_what_find_would_never_propose() -> None:
    session = in_tiers([EDITED, EDITED, EDITED], several_frames=[(0, 2)])
    assert "(1 of them" in session.question_before(EDITED)
    assert "several frames" in session.question_before(EDITED)
    assert "(1 of them" in session.mark_tier(EDITED)
    assert "of them" not in in_tiers([EDITED]).question_before(EDITED)


def test_a_tier_is_switched_between_all_marked_and_none() -> None:
    session = in_tiers(*MIXED)
    session.switch_tier(SAME_PICTURE)
    assert marked(session) == [{1}, set(), set(), set(), set()]
    session.toggle(1)
    session.step(1)
    session.toggle(1)
    session.switch_tier(SAME_PICTURE)
    assert marked(session) == [set(), {1}, {3}, set(), {1}], "one was marked: now all are"
    session.switch_tier(SAME_PICTURE)
    assert session.totals() == (0, 0)


def test_of_the_keeper_the_tier_shown_alone_is_meant_or_that_of_the_first_other() -> None:
    session = in_tiers([IDENTICAL, EDITED])
    assert [session.tier_meant(number) for number in range(3)] == [IDENTICAL, IDENTICAL, EDITED]
    session.show_only(EDITED)
    assert [session.tier_meant(number) for number in range(3)] == [EDITED, IDENTICAL, EDITED]


class AnyReview(RuleBasedStateMachine):
    """A person pressing keys in any order, on any sets."""

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        matrix: dict[frozenset[Picture], str] = {}
        tiers = st.sampled_from(TIERS)
        groups = []
        for group in range(data.draw(st.integers(1, 3))):
            count = data.draw(st.integers(2, 6))
            protected = data.draw(st.sets(st.integers(0, count - 1), max_size=2))
            pictures = [a_picture(number, group, protected=number in protected) for number in range(count)]
            for one in range(count):
                for two in range(one):
                    related = two == 0 or data.draw(st.booleans())
                    matrix[frozenset((pictures[one], pictures[two]))] = data.draw(tiers) if related else ""
            members = [
                Member(picture, 0.97, matrix[frozenset((pictures[0], picture))], marked=number not in protected)
                for number, picture in enumerate(pictures)
                if number
            ]
            groups.append(Group(pictures[0], tuple(members)))
        self.tier = lambda one, two: matrix[frozenset((one, two))]
        self.session = ReviewSession(found_in_tiers(groups, self.tier, KEPT))

    def decisions(self) -> list[tuple[int, frozenset[int], bool]]:
        return [(one.keeper, frozenset(one.marked), one.not_duplicates) for one in self.session.sets]

    def of_tier(self, tier: str) -> set[tuple[int, int]]:
        """(set, number) of every picture that has this tier towards its keeper."""
        return {
            (at, number)
            for at, one in enumerate(self.session.sets)
            for number, picture in enumerate(one.pictures)
            if number != one.keeper and self.tier(one.pictures[one.keeper], picture) == tier
        }

    def number(self, chosen: int) -> int:
        return chosen % len(self.session.current.pictures)

    @rule(chosen=st.integers(0, 5))
    def toggle(self, chosen: int) -> None:
        assert self.session.toggle(self.number(chosen))

    @rule(chosen=st.integers(0, 5))
    def make_keeper(self, chosen: int) -> None:
        number = self.number(chosen)
        assert self.session.make_keeper(number)
        if not self.session.current.not_duplicates:
            assert self.session.current.keeper == number

    @rule()
    def not_duplicates(self) -> None:
        before = set(self.session.current.marked), self.session.current.keeper
        assert self.session.toggle_not_duplicates()
        if self.session.current.not_duplicates:
            self.session.toggle_not_duplicates()
            assert (self.session.current.marked, self.session.current.keeper) == before
            self.session.toggle_not_duplicates()

    @rule(by=st.integers(-3, 3))
    def step(self, by: int) -> None:
        before, position = self.decisions(), self.session.position
        moved = self.session.step(by)
        assert moved == (self.session.position != position)
        assert self.decisions() == before

    @rule(tier=st.sampled_from(("", *TIERS)))
    def show_only(self, tier: str) -> None:
        before, decisions = (self.session.shown_tier, list(self.session.visible)), self.decisions()
        assert self.session.show_only(tier)
        assert self.decisions() == decisions, "a filter decides nothing"
        with_it = sorted({at for at, _ in self.of_tier(tier)}) if tier else list(range(len(self.session.sets)))
        shown = (self.session.shown_tier, list(self.session.visible))
        assert shown == ((tier, with_it) if with_it else before)

    @rule()
    def show_next_tier(self) -> None:
        decisions = self.decisions()
        assert self.session.show_next_tier()
        assert self.decisions() == decisions

    @rule(tier=st.sampled_from(TIERS))
    def mark_tier(self, tier: str) -> None:
        before, may = self.marked(), self.markable(tier)
        assert self.session.mark_tier(tier)
        assert may <= self.marked() <= may | before, "all of the tier, and nothing else"

    @rule(tier=st.sampled_from(TIERS))
    def unmark_tier(self, tier: str) -> None:
        before = self.marked()
        assert self.session.unmark_tier(tier)
        assert self.marked() == before - self.of_tier(tier)

    @rule(tier=st.sampled_from(TIERS))
    def switch_tier(self, tier: str) -> None:
        before, may = self.marked(), self.markable(tier)
        self.session.question_before(tier)
        assert self.marked() == before, "a question decides nothing"
        assert self.session.switch_tier(tier)
        if may <= before:
            assert self.marked() == before - may
        else:
            assert may <= self.marked()

    def marked(self) -> set[tuple[int, int]]:
        return {(at, number) for at, one in enumerate(self.session.sets) for number in one.marked}

    def markable(self, tier: str) -> set[tuple[int, int]]:
        sets = self.session.sets
        return {
            (at, number)
            for at, number in self.of_tier(tier)
            if not sets[at].not_duplicates and KEPT not in sets[at].pictures[number].full_path.parents
        }

    @invariant()
    def the_set_looked_at_is_one_of_those_shown(self) -> None:
        assert self.session.position in self.session.visible
        assert self.session.visible[self.session.place] == self.session.position

    @invariant()
    def a_picture_of_every_set_stays_and_the_keeper_is_one_of_them(self) -> None:
        for one in self.session.sets:
            assert one.kept
            assert one.keeper in one.kept
            assert one.keeper not in one.marked
            assert sorted([*one.kept, *one.marked]) == list(range(len(one.pictures)))

    @invariant()
    def what_goes_directly_matches_what_stays(self) -> None:
        for one in self.session.sets:
            for number in one.marked:
                assert any(self.tier(one.pictures[kept], one.pictures[number]) for kept in one.kept)

    @invariant()
    def the_plan_is_exactly_what_is_marked(self) -> None:
        plan = self.session.plan()
        sets = self.session.sets
        marked = {str(one.pictures[number].full_path) for one in sets for number in one.marked}
        kept = {str(one.pictures[number].full_path): one.pictures[number] for one in sets for number in one.kept}
        gone = {str(one.pictures[number].full_path): one.pictures[number] for one in sets for number in one.marked}
        assert {row.file.path for row in plan.removals} == marked
        assert len(plan.removals) == len(marked)
        for row in plan.removals:
            assert self.tier(kept[row.keeper.path], gone[row.file.path]) == row.tier
        assert self.session.totals() == (len(plan.removals), plan.bytes)

    @invariant()
    def protected_pictures_are_never_marked(self) -> None:
        for one in self.session.sets:
            assert not [n for n in one.marked if KEPT in one.pictures[n].full_path.parents]

    @invariant()
    def sets_called_not_duplicates_lose_nothing(self) -> None:
        called = [one for one in self.session.sets if one.not_duplicates]
        assert all(not one.marked for one in called)
        assert self.session.not_duplicates() == [one.pictures for one in called]


def test_no_sequence_of_decisions_breaks_the_rules() -> None:
    run_state_machine_as_test(AnyReview, settings=settings(max_examples=80, stateful_step_count=25, deadline=None))
