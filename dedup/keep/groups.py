"""Groups of direct matches, each with the keeper that the rule chooses and the reason why.

No chaining: pictures are visited best first, and one that is not yet taken becomes a
keeper and takes its untaken direct matches. So every removal matches its own living keeper.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from dedup.keep.criteria import Evidence
from dedup.keep.rule import KeepRule, Key, Ranking
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
NO_EDIT = "no edit of the others"
FROM_A_CAMERA = "has its camera's metadata"
SURER_COPIES = "it has the surer copies"


@dataclass(frozen=True, slots=True)
class Match:
    """A picture's direct match: its number among the pictures compared, how similar, and the tier.

    ``bits``: the length of the fingerprints compared; 0 where embeddings were. ``sure``: whether
    the encoder is good enough for its matches to be proposed for removal. ``turned``: it is one only
    when the picture is turned or mirrored. ``remark``: what verification found, as a plain sentence. ``edit``: 1 where
    the picture that is matched is the edit of the two, 2 where the other is, 0 where nobody can tell. ``by_camera``:
    only what a camera wrote into one of the two files tells. ``carries``: the one matched has something that cannot be
    had again and the other has not, as the remark says.
    """

    other: int
    similarity: float
    tier: str
    bits: int = 0
    sure: bool = True
    turned: bool = False
    remark: str = ""
    edit: int = 0
    by_camera: bool = False
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
    """A keeper and its direct matches, the most similar first. ``reason`` completes "kept: "."""

    keeper: Picture
    others: tuple[Member, ...]
    reason: str = ""

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
    evidence: Evidence | None = None,
) -> list[Group]:
    """Groups without chaining, surest first, deterministic whatever the order of the input.

    ``candidates`` are the numbers of pictures with any match; ``matches_of`` gives their
    direct, symmetric matches. ``mark`` names the tiers to be marked. ``edits`` are the numbers of pictures that are
    edits of others here: they become keepers only of what is left. ``may_be_sure`` tells which pictures may have a
    match as sure as the same picture, ``evidence`` what criteria ask beside the pictures' rows.
    """
    ranking = Ranking(pictures, rule, evidence)
    edits = frozenset(edits)
    order = sorted(candidates, key=ranking.key)
    order.sort(key=edits.__contains__)  # no edit before an original
    # Where edits are not to go, the copies that one of them has are: those are its own set then.
    taking = _Taking(matches_of, ranking, edits, edits if EDITED in mark else frozenset())
    # What merely looks alike takes no picture away from one it is a copy of, nor an edit from its own copies.
    taking.visit((number for number in order if may_be_sure(number)), SURE)
    taking.visit(order, {EDITED})
    taking.visit(order, {LOOK_ALIKE})
    found = [_Found(number, ranking.key(number), matches) for number, matches in taking.found.items()]
    for one in found:
        one.settle(ranking, edits)
    # A set is as sure as its least sure member.
    found.sort(key=lambda one: (TIERS.index(one.matches[-1].tier), -one.matches[0].similarity, one.key))
    return [one.group(pictures, ranking, mark) for one in found]


@dataclass(slots=True)
class _Found:
    """A keeper by number with the key that ranks it, and what it has taken."""

    number: int
    key: Key
    matches: list[Match]
    reason: str = ""

    def settle(self, ranking: Ranking, edits: Collection[int]) -> None:
        """Bring the surest match to the front, and find out what speaks for the keeper."""
        rows = [(TIERS.index(one.tier), -one.similarity, ranking.key(one.other), one) for one in self.matches]
        rows.sort(key=lambda row: row[:3])
        self.matches = [row[3] for row in rows]
        # In the order of the chain: each of the others lost to one of these.
        reasons = {self._decided(ranking, match, key, edits) for *_, key, match in rows}
        self.reason = ", then ".join(words for _, words in sorted(reasons))

    def group(self, pictures: Sequence[Picture], ranking: Ranking, mark: frozenset[str]) -> Group:
        """The group of these pictures."""
        members = tuple(self._member(pictures, ranking, match, mark) for match in self.matches)
        return Group(pictures[self.number], members, self.reason)

    def _member(self, pictures: Sequence[Picture], ranking: Ranking, match: Match, mark: frozenset[str]) -> Member:
        keeper, picture = pictures[self.number], pictures[match.other]
        # Only one frame is looked at: pages and animations that only begin alike must not be removed unseen. Nor may
        # an original for the sake of its edit, nor what merely looks alike once turned: an arrow to the left is no
        # copy. Nor what a camera wrote, for the sake of an edit that has lost it.
        is_exact = match.tier in (IDENTICAL, SAME_PIXELS)
        several = keeper.several_frames or picture.several_frames
        unsure = match.tier == LOOK_ALIKE and (not match.sure or match.turned)
        marked = match.tier in mark and (is_exact or not (several or unsure or match.edit == 1))
        if marked and match.tier == EDITED:
            marked = ranking.from_camera(self.number) or not ranking.from_camera(match.other)
        return Member(picture, match.similarity, match.tier, marked, match.bits, match.turned, match.remark)

    def _decided(self, ranking: Ranking, match: Match, key: Key, edits: Collection[int]) -> tuple[int, str]:
        """What decided between the keeper and one other: its place in the chain, and the words for it."""
        keeper_is_edit, other_is_edit = self.number in edits, match.other in edits
        if other_is_edit and not keeper_is_edit:
            return -1, FROM_A_CAMERA if match.by_camera else NO_EDIT
        if keeper_is_edit > other_is_edit or key < self.key:
            return len(key), SURER_COPIES
        place = ranking.deciding(self.key, key)
        return place, ranking.reason_at(place)


class _Taking:
    """Keepers and the matches they have taken: visited in order, the first takes all of its own that are still free."""

    def __init__(
        self,
        matches_of: Callable[[int], Iterable[Match]],
        ranking: Ranking,
        edits: frozenset[int],
        given_up: frozenset[int],
    ) -> None:
        self._matches_of = matches_of
        self._ranking = ranking
        self._edits = edits
        self._given_up = given_up
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
        return match.tier in tiers and match.other not in self._taken and not self._ranking.is_protected(match.other)

    def _free_copies_of_edits(self, matches: Sequence[Match]) -> None:
        """Edits that keep copies of their own are given up, with these, for an original that matches them all."""
        direct = {match.other for match in matches}
        for number in direct & self._given_up & self.found.keys():
            members = {number, *(one.other for one in self.found[number])}
            if members <= direct:
                del self.found[number]
                self._taken -= members


def bytes_freed(groups: Iterable[Group]) -> int:
    """The bytes of all pictures marked for removal."""
    return sum(member.picture.size for group in groups for member in group.others if member.marked)
