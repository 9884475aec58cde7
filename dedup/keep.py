"""Groups, and the rules that choose the keeper. Pure functions; nothing here touches a file.

No chaining: pictures are visited best first, and one that is not yet taken becomes a
keeper and takes its untaken direct matches. So every removal matches its own living keeper.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dedup.store import Picture
from dedup.tiers import EDITED, IDENTICAL, LOOK_ALIKE, SAME_PICTURE, SAME_PIXELS, TIERS

SURE = frozenset({IDENTICAL, SAME_PIXELS, SAME_PICTURE})
# What may be marked for removal without a person's doing, by name: the tiers that are.
MARKS: Mapping[str, frozenset[str]] = {
    "exact": frozenset(TIERS[:2]),
    "same": frozenset(TIERS[:3]),
    "edited": frozenset(TIERS[:4]),
    "all": frozenset(TIERS),
}

# Formats that cannot hold a photograph's colours.
FEW_COLOURS = ("GIF", "PCX")

SortKey = tuple[int, int, int, int, int, int, str, str]


@dataclass(frozen=True, slots=True)
class KeepRule:
    """Largest file first, or with ``best`` the best quality; pictures of ``keep_all_of`` (a folder) are never removed.

    Between equals the folder named first in ``folders`` keeps its picture.
    """

    keep_all_of: Path | None = None
    folders: tuple[Path, ...] = ()
    best: bool = False

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

    def rank(self, picture: Picture) -> tuple[int, ...]:
        """What counts before the size of the file with ``best``: formats of few colours last, then the pixels.

        Pixel counts within a quarter of each other are equal: which of them is better shows otherwise.
        """
        if not self.best:
            return ()
        pixels = max(1, picture.width * picture.height)
        return (0 if self.keeps(picture) else 1, int(picture.format in FEW_COLOURS), -round(math.log(pixels, 1.5)))

    def keeps(self, picture: Picture) -> bool:
        """Whether this picture may never be removed, whatever it matches."""
        return self.keep_all_of is not None and picture.full_path.is_relative_to(self.keep_all_of)


@dataclass(frozen=True, slots=True)
class Match:
    """A picture's direct match: its number among the pictures compared, how similar, and the tier.

    ``bits``: the length of the fingerprints compared; 0 where embeddings were. ``sure``: whether
    the encoder is good enough for its matches to be proposed for removal. ``turned``: it is one only
    when the picture is turned or mirrored. ``remark``: what verification found, as a plain sentence. ``edit``: 1 where
    the picture that is matched is the edit of the two, 2 where the other is, 0 where nobody can tell. ``carries``: the
    one matched has something that cannot be had again and the other has not, as the remark says.
    """

    other: int
    similarity: float
    tier: str
    bits: int = 0
    sure: bool = True
    turned: bool = False
    remark: str = ""
    edit: int = 0
    carries: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """A picture of a group beside its keeper. ``marked``: proposed for removal. ``carries``: as of a match."""

    picture: Picture
    similarity: float
    tier: str
    marked: bool = True
    bits: int = 0
    turned: bool = False
    remark: str = ""
    carries: bool = False


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
    *,
    mark: frozenset[str] = MARKS["same"],
    edits: Collection[int] = (),
    may_be_sure: Callable[[int], bool] = lambda number: True,
    closeness: Callable[[int], float] = lambda number: 0.0,
) -> list[Group]:
    """Groups without chaining, surest first, deterministic whatever the order of the input.

    ``candidates`` are the numbers of pictures with any match; ``matches_of`` gives their
    direct, symmetric matches. ``mark`` names the tiers to be marked. ``edits`` are the numbers of pictures that are
    edits of others here: they become keepers only of what is left. ``may_be_sure`` tells which pictures may have a
    match as sure as the same picture, ``closeness`` breaks ties for the rule "best".
    """
    order = sorted(candidates, key=lambda number: keep_order(number, pictures[number], rule, edits, closeness))
    taking = _Taking(pictures, matches_of, rule, frozenset(edits))
    # What merely looks alike takes no picture away from one it is a copy of, nor an edit from its own copies.
    taking.visit((number for number in order if may_be_sure(number)), SURE)
    taking.visit(order, {EDITED})
    taking.visit(order, {LOOK_ALIKE})
    found = taking.found
    groups = []
    for number, matches in found.items():
        members = [_member(pictures[number], pictures[match.other], match, mark) for match in matches]
        members.sort(key=lambda member: (TIERS.index(member.tier), -member.similarity, rule.key(member.picture)))
        groups.append(Group(pictures[number], tuple(members)))
    # A set is as sure as its least sure member.
    groups.sort(
        key=lambda group: (TIERS.index(group.others[-1].tier), -group.others[0].similarity, rule.key(group.keeper))
    )
    return groups


class _Taking:
    """Keepers and the matches they have taken: visited in order, the first takes all of its own that are still free."""

    def __init__(
        self,
        pictures: Sequence[Picture],
        matches_of: Callable[[int], Iterable[Match]],
        rule: KeepRule,
        edits: frozenset[int],
    ) -> None:
        self._pictures = pictures
        self._matches_of = matches_of
        self._rule = rule
        self._edits = edits
        self._taken: set[int] = set()
        self.found: dict[int, list[Match]] = {}

    def visit(self, numbers: Iterable[int], tiers: Collection[str]) -> None:
        """Let each picture that nobody took take its free matches of these tiers."""
        for number in numbers:
            if number in self._taken and number not in self.found:
                continue
            matches = [one for one in self._matches_of(number) if one.other != number]
            if number not in self._edits:
                self._free_copies_of_edits(matches)
            free = [one for one in matches if self._is_free(one, tiers)]
            if free:
                self.found.setdefault(number, []).extend(free)
                self._taken.update([number, *(one.other for one in free)])

    def _is_free(self, match: Match, tiers: Collection[str]) -> bool:
        return (
            match.tier in tiers and match.other not in self._taken and not self._rule.keeps(self._pictures[match.other])
        )

    def _free_copies_of_edits(self, matches: Sequence[Match]) -> None:
        """Edits that keep copies of their own are given up, with these, for an original that matches them all."""
        direct = {match.other for match in matches}
        for number in direct & self._edits & self.found.keys():
            members = {number, *(one.other for one in self.found[number])}
            if members <= direct:
                del self.found[number]
                self._taken -= members


def keep_order(
    number: int, picture: Picture, rule: KeepRule, edits: Collection[int], closeness: Callable[[int], float]
) -> tuple[object, ...]:
    """In which order pictures become keepers: no edit before an original, then as the rule says."""
    middle = round(-closeness(number), 2) if rule.best else 0.0
    return (number in edits, *rule.rank(picture), middle, *rule.key(picture))


def _member(keeper: Picture, picture: Picture, match: Match, mark: frozenset[str]) -> Member:
    # Only one frame is looked at: pages and animations that only begin alike must not be removed unseen. Nor may an
    # original for the sake of its edit, nor what merely looks alike once turned: an arrow to the left is no copy.
    is_exact = match.tier in (IDENTICAL, SAME_PIXELS)
    several = keeper.several_frames or picture.several_frames
    unsure = match.tier == LOOK_ALIKE and (not match.sure or match.turned)
    marked = match.tier in mark and (is_exact or not (several or unsure or match.edit == 1))
    return Member(picture, match.similarity, match.tier, marked, match.bits, match.turned, match.remark)


def bytes_freed(groups: Iterable[Group]) -> int:
    """The bytes of all pictures marked for removal."""
    return sum(member.picture.size for group in groups for member in group.others if member.marked)


STRATEGIES: Mapping[str, str] = {
    "largest": "keep the largest file, from whichever folder",
    "first": "keep everything in folder 1, remove its copies from folder 2",
    "second": "keep everything in folder 2, remove its copies from folder 1",
    "best": "keep the best quality: no edits of others, the most pixels, the most detail",
}


def rule_for(strategy: str, folders: Sequence[Path]) -> KeepRule:
    """The keep rule of a strategy name over the folders in the order the user gave them."""
    if strategy == "first":
        return KeepRule(folders[0], tuple(folders))
    if strategy == "second" and len(folders) > 1:
        return KeepRule(folders[1], tuple(folders))
    return KeepRule(None, tuple(folders), best=strategy == "best")
