"""One set of a review: its pictures, which of them stays by name, which are to go; and how such are counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from dedup.keep import Group
from dedup.store import Picture


@dataclass(slots=True)
class SetUnderReview:
    """One set: its pictures (the proposed keeper first), which stays by name, which are to go.

    ``reason``: why the proposed keeper is.
    ``proposed``: what find marked and nobody took back picture by picture; it may be marked again unasked.
    """

    pictures: tuple[Picture, ...]
    keeper: int
    marked: set[int]
    proposed: set[int] = field(default_factory=set)
    not_duplicates: bool = False
    reason: str = ""
    _before: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, group: Group) -> SetUnderReview:
        """The set as the keep rule proposes it."""
        marked = {number for number, member in enumerate(group.others, 1) if member.marked}
        return cls(group.pictures, 0, marked, set(marked), reason=group.reason)

    @property
    def kept_because(self) -> str:
        """Why the keeper is the one: what the rule says of it, or that a person chose it."""
        return self.reason if self.keeper == 0 else "your choice"

    @property
    def kept(self) -> list[int]:
        """The numbers of the pictures that stay, the keeper first."""
        others = [number for number in range(len(self.pictures)) if number not in self.marked]
        return sorted(others, key=lambda number: (number != self.keeper, number))

    def beside_keeper(self, number: int) -> int:
        """The picture to compare with the keeper when this one is meant: itself; for the keeper the first other."""
        if number != self.keeper:
            return number
        return 0 if self.keeper else 1


@dataclass(frozen=True, slots=True)
class Tally:
    """How many pictures, in how many sets."""

    pictures: int
    sets: int

    @classmethod
    def of(cls, places: Iterable[Place]) -> Tally:
        """The tally of pictures given as (set, number)."""
        rows = [id(one) for one, _ in places]
        return cls(len(rows), len(set(rows)))

    def __str__(self) -> str:
        return f"{counted(self.pictures, 'picture')} in {counted(self.sets, 'set')}"


# A picture under review: its set and its number there.
Place = tuple[SetUnderReview, int]


def counted(count: int, word: str) -> str:
    """``1 picture``, ``2 pictures``."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"
