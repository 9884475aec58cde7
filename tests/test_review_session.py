"""The rules of a review: one picture of a set always stays, and what goes matches one that stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from dedup.keep import SIMILAR, Group, KeepRule, Match, Member
from dedup.review.session import ReviewSession
from dedup.store import Picture
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
    def relation(first: Picture, second: Picture) -> Match | None:
        return Match(0, 0.97, SIMILAR) if related(first, second) else None

    return Found("fake", 0.96, [ROOT], 99, [], list(groups), KeepRule(kept), relation)


def a_session(
    count: int, unrelated: Iterable[Pair] = (), *, protected: Iterable[int] = (), sets: int = 1
) -> ReviewSession:
    """Sets of ``count`` pictures, all but the first marked; all match but the pairs given."""
    apart = {frozenset(pair) for pair in unrelated}
    pictures = [[a_picture(n, group, protected=n in set(protected)) for n in range(count)] for group in range(sets)]
    numbers = {picture: number for row in pictures for number, picture in enumerate(row)}
    groups = [
        Group(
            row[0], tuple(Member(one, 0.97, SIMILAR, marked=n not in set(protected)) for n, one in enumerate(row) if n)
        )
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
    assert session.match(2) == Match(0, 0.97, SIMILAR)
    session.make_keeper(1)
    assert session.match(2) is None


class AnyReview(RuleBasedStateMachine):
    """A person pressing keys in any order, on any sets."""

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        matrix: dict[frozenset[Picture], bool] = {}
        groups = []
        for group in range(data.draw(st.integers(1, 3))):
            count = data.draw(st.integers(2, 6))
            protected = data.draw(st.sets(st.integers(0, count - 1), max_size=2))
            pictures = [a_picture(number, group, protected=number in protected) for number in range(count)]
            for one in range(count):
                for two in range(one):
                    matrix[frozenset((pictures[one], pictures[two]))] = two == 0 or data.draw(st.booleans())
            members = [
                Member(picture, 0.97, SIMILAR, marked=number not in protected)
                for number, picture in enumerate(pictures)
                if number
            ]
            groups.append(Group(pictures[0], tuple(members)))
        self.related = lambda one, two: matrix[frozenset((one, two))]
        self.session = ReviewSession(found_with(groups, self.related, KEPT))

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
        self.session.step(by)
        assert 0 <= self.session.position < len(self.session.sets)

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
                assert any(self.related(one.pictures[kept], one.pictures[number]) for kept in one.kept)

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
            assert self.related(kept[row.keeper.path], gone[row.file.path])
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
