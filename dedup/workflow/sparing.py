"""What find leaves unmarked although its tier may be marked: pictures with more than their keeper has."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from dedup.companions import Beside
from dedup.keep import Group, Match, Member
from dedup.knowledge import carried, different_moments
from dedup.store import Picture
from dedup.tiers import IDENTICAL, SAME_PIXELS

Relation = Callable[[Picture, Picture], Match | None]
BURST = "another moment of the same burst"


class Sparing:
    """Tells what speaks against removing a picture for the sake of another one. Each pair is looked at once."""

    def __init__(self) -> None:
        self._beside = Beside()
        self._found: dict[tuple[Path, Path], str] = {}

    def why(self, picture: Picture, keeper: Picture, tier: str) -> str:
        """What the picture has and its keeper has not, in words; "" for nothing."""
        pair = picture.full_path, keeper.full_path
        if pair not in self._found:
            reasons = carried(*pair, self._beside, same_bytes=tier == IDENTICAL)
            if tier not in (IDENTICAL, SAME_PIXELS) and different_moments(*pair):
                reasons.append(BURST)
            self._found[pair] = "; ".join(reasons)
        return self._found[pair]

    def spared(self, groups: Iterable[Group]) -> list[Group]:
        """The groups, with every picture unmarked that has more than its keeper."""
        return [
            replace(group, others=tuple(self._member(member, group.keeper) for member in group.others))
            for group in groups
        ]

    def told(self, relation: Relation) -> Relation:
        """A relation whose matches say what the second picture has and the first has not."""

        def telling(first: Picture, second: Picture) -> Match | None:
            match = relation(first, second)
            reason = self.why(second, first, match.tier) if match is not None else ""
            if match is None or not reason:
                return match
            return replace(match, carries=True, remark=_joined(match.remark, reason))

        return telling

    def _member(self, member: Member, keeper: Picture) -> Member:
        reason = self.why(member.picture, keeper, member.tier) if member.marked else ""
        if not reason:
            return member
        return replace(member, marked=False, carries=True, remark=_joined(member.remark, reason))


def _joined(remark: str, reason: str) -> str:
    return f"{remark}; {reason}" if remark else reason
