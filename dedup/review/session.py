"""The decisions about the sets of one find run, and the rules they must keep.

Whatever is decided: at least one picture of every set stays, and every picture to be
removed directly matches one that stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from dedup.keep import Group, Match
from dedup.store import Picture
from dedup.trash import Plan, make_plan
from dedup.wording import printable
from dedup.workflow import Found


@dataclass(slots=True)
class SetUnderReview:
    """One set: its pictures (the proposed keeper first), which stays by name, which are to go."""

    pictures: tuple[Picture, ...]
    keeper: int
    marked: set[int]
    not_duplicates: bool = False
    _before: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, group: Group) -> SetUnderReview:
        """The set as the keep rule proposes it."""
        marked = {number for number, member in enumerate(group.others, 1) if member.marked}
        return cls(group.pictures, 0, marked)

    @property
    def kept(self) -> list[int]:
        """The numbers of the pictures that stay, the keeper first."""
        others = [number for number in range(len(self.pictures)) if number not in self.marked]
        return sorted(others, key=lambda number: (number != self.keeper, number))


class ReviewSession:
    """Sets, a position among them, and the decisions taken so far.

    Methods that change a decision return one line for the user: what happened, or why not.
    """

    def __init__(self, found: Found) -> None:
        self.found = found
        self.sets: Sequence[SetUnderReview] = [SetUnderReview.of(group) for group in found.groups]
        self.position = 0

    @property
    def current(self) -> SetUnderReview:
        """The set being looked at."""
        return self.sets[self.position]

    def step(self, by: int) -> bool:
        """Go ``by`` sets forward or back, stopping at the ends; whether the position changed."""
        before = self.position
        self.position = min(max(self.position + by, 0), len(self.sets) - 1)
        return self.position != before

    def match(self, number: int) -> Match | None:
        """How a picture of the current set matches its keeper."""
        return self._match(self.current, self.current.keeper, number)

    def toggle(self, number: int) -> str:
        """Switch a picture of the current set between keep and remove."""
        one = self.current
        if one.not_duplicates:
            return "This set was called not duplicates; press N to take that back first."
        if number in one.marked:
            one.marked.discard(number)
            return self._line(one, number, "stays")
        if self.found.rule.keeps(one.pictures[number]):
            return "Everything in this picture's folder is kept, as chosen."
        if len(one.kept) == 1:
            return "One picture of a set always stays; make another one the keeper first."
        one.marked.add(number)
        if self._partner(one, number) is None:
            one.marked.discard(number)
            return self._line(one, number, "stays: it matches none of the other pictures that stay")
        if number == one.keeper:
            one.keeper = one.kept[0]
        return self._line(one, number, "is to be removed") + self._repair(one)

    def make_keeper(self, number: int) -> str:
        """Keep this picture of the current set; the old keeper goes, if it may and matches."""
        one = self.current
        if one.not_duplicates:
            return "This set was called not duplicates; press N to take that back first."
        if number == one.keeper:
            return self._line(one, number, "is the keeper already")
        old = one.keeper
        one.keeper = number
        one.marked.discard(number)
        if not self.found.rule.keeps(one.pictures[old]) and self._match(one, number, old) is not None:
            one.marked.add(old)
        return self._line(one, number, "is the keeper now") + self._repair(one)

    def toggle_not_duplicates(self) -> str:
        """Call the current set "not duplicates" (everything stays, never asked again), or take it back."""
        one = self.current
        if one.not_duplicates:
            one.not_duplicates, one.marked = False, one._before
            return "Duplicates again."
        one.not_duplicates, one._before, one.marked = True, one.marked, set()
        return "Not duplicates: everything stays, and this set is not asked about again."

    def totals(self) -> tuple[int, int]:
        """(files, bytes) to be removed by the decisions so far."""
        sizes = [one.pictures[number].size for one in self.sets for number in one.marked]
        return len(sizes), sum(sizes)

    def not_duplicates(self) -> list[tuple[Picture, ...]]:
        """The sets called "not duplicates"."""
        return [one.pictures for one in self.sets if one.not_duplicates]

    def plan(self) -> Plan:
        """The decisions as a plan; each removal names a picture that stays and that it matches."""
        found = self.found
        return make_plan(found.encoder, found.threshold, found.folders, self._removals())

    def _removals(self) -> Iterator[tuple[Picture, Picture, float, str]]:
        for one in self.sets:
            for number in sorted(one.marked):
                partner = self._partner(one, number)
                if partner is not None:
                    keeper, match = partner
                    yield one.pictures[number], one.pictures[keeper], match.similarity, match.tier

    def _partner(self, one: SetUnderReview, number: int) -> tuple[int, Match] | None:
        """A picture that stays and that this one directly matches: the keeper if it can be."""
        for kept in one.kept:
            match = self._match(one, kept, number)
            if match is not None:
                return kept, match
        return None

    def _match(self, one: SetUnderReview, first: int, second: int) -> Match | None:
        return self.found.relation(one.pictures[first], one.pictures[second])

    def _repair(self, one: SetUnderReview) -> str:
        """Keep what has no match left among the pictures that stay."""
        orphans = [number for number in sorted(one.marked) if self._partner(one, number) is None]
        one.marked.difference_update(orphans)
        if not orphans:
            return ""
        names = ", ".join(str(number + 1) for number in orphans)
        return f" Number {names} stays too: it matches none of the pictures kept."

    def _line(self, one: SetUnderReview, number: int, what: str) -> str:
        return f"{number + 1} {printable(one.pictures[number].full_path.name)} {what}."
