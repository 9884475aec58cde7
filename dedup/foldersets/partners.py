"""Which picture of a set that stays a removed one matches: what makes a deletion one of a duplicate."""

from __future__ import annotations

from collections.abc import Container

from dedup.foldersets.manifest import FolderSet, Pair
from dedup.tiers import IDENTICAL


class Partners:
    """The direct matches among the members of one set, by number."""

    def __init__(self, one: FolderSet) -> None:
        self._members = one.members
        self._direct: dict[int, dict[int, Pair]] = {}
        for pair in one.pairs:
            self._direct.setdefault(pair.first, {})[pair.second] = pair
            self._direct.setdefault(pair.second, {})[pair.first] = pair
        self._twins: dict[str, list[int]] = {}
        for number, member in enumerate(one.members):
            self._twins.setdefault(member.original.digest, []).append(number)

    def of(self, number: int, staying: Container[int]) -> tuple[int, Pair] | None:
        """The best of those that stay, and lie unchanged where they were, that a member matches; and how."""
        twins = [other for other in self._twins[self._members[number].original.digest] if other != number]
        found = {other: Pair(other, number, 1.0, IDENTICAL) for other in twins}
        matches = {**self._direct.get(number, {}), **found}
        for other in sorted(matches):
            if other in staying and self._members[other].is_unchanged():
                return other, matches[other]
        return None
