"""Groups, and the rules that choose the keeper. Pure functions; nothing here touches a file.

No chaining: pictures are visited best first, and one that is not yet taken becomes a
keeper and takes its untaken direct matches. So every removal matches its own living keeper.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dedup.store import Picture

IDENTICAL = "identical file"
SAME_PIXELS = "same pixels"
SIMILAR = "similar"

SortKey = tuple[int, int, int, int, int, int, str, str]


@dataclass(frozen=True, slots=True)
class KeepRule:
    """Largest file first; the pictures of ``keep_all_of`` (a folder) are never removed.

    Between equals the folder named first in ``folders`` keeps its picture.
    """

    keep_all_of: Path | None = None
    folders: tuple[Path, ...] = ()

    def key(self, picture: Picture) -> SortKey:
        """Smaller is better: kept folder, bytes, pixels, age, order of folders, length of the path; ties by path."""
        return (
            0 if self.keeps(picture) else 1,
            -picture.size,
            -picture.width * picture.height,
            picture.mtime_ns,
            self.folders.index(picture.root) if picture.root in self.folders else len(self.folders),
            len(picture.path),
            picture.path,
            str(picture.root),
        )

    def keeps(self, picture: Picture) -> bool:
        """Whether this picture may never be removed, whatever it matches."""
        return self.keep_all_of is not None and picture.full_path.is_relative_to(self.keep_all_of)


@dataclass(frozen=True, slots=True)
class Match:
    """A picture's direct match: its number among the pictures compared, how similar, and the tier.

    ``bits``: the length of the fingerprints compared; 0 where embeddings were. ``sure``: whether
    the encoder is good enough for its matches to be proposed for removal. ``turned``: it is one only
    when the picture is turned or mirrored.
    """

    other: int
    similarity: float
    tier: str
    bits: int = 0
    sure: bool = True
    turned: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """A picture of a group beside its keeper. ``marked``: proposed for removal."""

    picture: Picture
    similarity: float
    tier: str
    marked: bool = True
    bits: int = 0
    turned: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A keeper and its direct matches, the most similar first."""

    keeper: Picture
    others: tuple[Member, ...]

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """All pictures of the group, the keeper first."""
        return (self.keeper, *(member.picture for member in self.others))


def make_groups(
    pictures: Sequence[Picture],
    candidates: Iterable[int],
    matches_of: Callable[[int], Iterable[Match]],
    rule: KeepRule,
) -> list[Group]:
    """Groups without chaining, surest first, deterministic whatever the order of the input.

    ``candidates`` are the numbers of pictures with any match; ``matches_of`` gives their
    direct, symmetric matches.
    """
    taken: set[int] = set()
    groups = []
    for number in sorted(candidates, key=lambda number: rule.key(pictures[number])):
        if number in taken:
            continue
        free = [
            match
            for match in matches_of(number)
            if match.other not in taken and match.other != number and not rule.keeps(pictures[match.other])
        ]
        if not free:
            continue
        taken.add(number)
        taken.update(match.other for match in free)
        members = [_member(pictures[number], pictures[match.other], match) for match in free]
        members.sort(key=lambda member: (-member.similarity, rule.key(member.picture)))
        groups.append(Group(pictures[number], tuple(members)))
    groups.sort(key=lambda group: (-group.others[0].similarity, rule.key(group.keeper)))
    return groups


def _member(keeper: Picture, picture: Picture, match: Match) -> Member:
    # Encoders see one frame: pages and animations that only begin alike must not be removed unseen. Nor must a
    # picture that someone turned or mirrored on purpose: an arrow to the left is no copy of one to the right.
    several = keeper.several_frames or picture.several_frames
    unsure = match.tier == SIMILAR and (not match.sure or match.turned or several)
    return Member(picture, match.similarity, match.tier, not unsure, match.bits, match.turned)


def bytes_freed(groups: Iterable[Group]) -> int:
    """The bytes of all pictures marked for removal."""
    return sum(member.picture.size for group in groups for member in group.others if member.marked)


STRATEGIES: Mapping[str, str] = {
    "largest": "keep the largest file, from whichever folder",
    "first": "keep everything in folder 1, remove its copies from folder 2",
    "second": "keep everything in folder 2, remove its copies from folder 1",
}


def rule_for(strategy: str, folders: Sequence[Path]) -> KeepRule:
    """The keep rule of a strategy name over the folders in the order the user gave them."""
    if strategy == "first":
        return KeepRule(folders[0], tuple(folders))
    if strategy == "second" and len(folders) > 1:
        return KeepRule(folders[1], tuple(folders))
    return KeepRule(None, tuple(folders))
