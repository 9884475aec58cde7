"""One set of a review: its pictures, which of them stays by name, which are to go; and how such are counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dedup.keep import Group
from dedup.store import KEEPER, REMOVED, Picture


@dataclass(slots=True)
class SetUnderReview:
    """One set: its pictures (the proposed keeper first), which stays by name, which are to go.

    ``reason``: why the proposed keeper is.
    ``proposed``: what find marked and nobody took back picture by picture; it may be marked again unasked.
    ``is_seen``: whether a person looked at it, now or in an earlier review, when it was decided (``decided_at``).
    ``is_unsaved``: whether there is something new to be written down.
    """

    pictures: tuple[Picture, ...]
    keeper: int
    marked: set[int]
    proposed: set[int] = field(default_factory=set)
    not_duplicates: bool = False
    reason: str = ""
    _before: set[int] = field(default_factory=set)
    _proposal: frozenset[int] = frozenset()
    is_seen: bool = False
    is_changed: bool = False
    is_unsaved: bool = False
    decided_at: str = ""

    @classmethod
    def of(cls, group: Group) -> SetUnderReview:
        """The set as the keep rule proposes it."""
        marked = {number for number, member in enumerate(group.others, 1) if member.marked}
        return cls(group.pictures, 0, marked, set(marked), reason=group.reason, _proposal=frozenset(marked))

    def change(self) -> None:
        """Note that the set's decisions changed: they are to be written down, and are of today."""
        self.is_changed = self.is_unsaved = True
        self.decided_at = ""

    def see(self) -> None:
        """Note that a person looked at the set."""
        if not self.is_seen:
            self.is_seen = self.is_unsaved = True

    def reset(self) -> None:
        """Let the set stand as it was proposed, as if nobody had ever decided anything."""
        self.keeper, self.marked, self.proposed = 0, set(self._proposal), set(self._proposal)
        self.not_duplicates, self._before = False, set()
        self.is_seen = self.is_changed = self.is_unsaved = False
        self.decided_at = ""

    def stand(self, roles: Sequence[str], decided_at: str, *, is_seen: bool) -> None:
        """Let the set stand as it was decided in an earlier review: what becomes of each picture."""
        self.keeper = roles.index(KEEPER)
        self.marked = {number for number, role in enumerate(roles) if role == REMOVED}
        self.proposed &= self.marked
        self.decided_at, self.is_seen, self.is_changed = decided_at, is_seen, True

    @property
    def is_as_proposed(self) -> bool:
        """Whether nobody decided otherwise than find proposed."""
        return not self.not_duplicates and self.keeper == 0 and self.marked == self._proposal

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
