"""What a tool found and would delete, scored against the truth. Values in, numbers out; no file is touched.

A picture belongs to the *families* of the photos it shows: one, or two for a collage. Pictures with a family
in common are copies of each other, and a look-alike is a family of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dedup.keep import Group

DISTINCT, SAME, ORIGINAL, EDIT = "distinct", "same", "original", "edit"
# The ways to mark that are judged: three of the product, and the one of the tools that have only one.
DEFAULT = "what is marked by default"
LARGEST = "every tier up to edited, keeping the largest"
BEST = "every tier up to edited, keeping the best"
ALL_BUT_LARGEST = "all of a set but the largest"
LOOK_ALIKES = ("not_dup", "burst", "variant")
# How sure a tool says it is that two pictures of a set are the same: by the tier of the less sure one.
SURER, EDITED, UNVERIFIED = "same picture or surer", "edited", "not verified"
RANKS = (SURER, EDITED, UNVERIFIED)
_RANK_OF_TIER = {"identical file": 0, "same pixels": 0, "same picture": 0, "edited": 1}


@dataclass(frozen=True, slots=True)
class Truth:
    """What a picture is: the families it belongs to, its label, and of an edit the kind and the tier of difficulty."""

    path: str
    families: frozenset[str]
    label: str
    kind: str = ""
    tier: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture in a set beside its keeper. ``tier`` is the tool's, "" where it has none."""

    path: str
    tier: str
    marked: bool

    @property
    def rank(self) -> int:
        """0 for the same picture or surer, 1 for edited, 2 for what was not verified."""
        return _RANK_OF_TIER.get(self.tier, len(RANKS) - 1)


@dataclass(frozen=True, slots=True)
class PictureSet:
    """A keeper, by path, and the pictures that a tool calls its copies."""

    keeper: str
    others: tuple[Placed, ...]

    def ranked(self) -> list[tuple[str, int]]:
        """(path, rank) of each picture; the keeper is as sure as its surest copy."""
        surest = min(placed.rank for placed in self.others)
        return [(self.keeper, surest), *((placed.path, placed.rank) for placed in self.others)]


@dataclass(frozen=True, slots=True)
class Recall:
    """Of ``total`` copies: in a set with any copy of their photo, and in a set with the original itself."""

    total: int
    found: int
    with_original: int


@dataclass(frozen=True, slots=True)
class WrongMember:
    """A picture, the keeper of another family that it was put beside, and the tier the tool gave it."""

    path: str
    keeper: str
    tier: str


@dataclass(frozen=True, slots=True)
class Grouping:
    """How well the sets are put together.

    ``recall`` is by (tier, kind) of the edits, ``same`` that of the copies labelled in the manifest.
    ``certainty[tier]`` counts the edits found, ``mixed`` the pictures that share a set with one of another
    family, and ``in_sets[label]`` the look-alikes in a set, all three by rank. ``wrong`` are the members of
    another family than their keeper; ``look_alikes`` says how many there are of each label.
    """

    recall: Mapping[tuple[str, str], Recall]
    same: Recall
    certainty: Mapping[str, tuple[int, ...]]
    mixed: tuple[int, ...]
    wrong: tuple[WrongMember, ...]
    look_alikes: Mapping[str, int]
    in_sets: Mapping[str, tuple[int, ...]]

    def recall_of(self, tier: str) -> Recall:
        """The recall of all kinds of a tier together."""
        rows = [row for (its_tier, _), row in self.recall.items() if its_tier == tier]
        return Recall(
            sum(row.total for row in rows), sum(row.found for row in rows), sum(row.with_original for row in rows)
        )


@dataclass(frozen=True, slots=True)
class Deletion:
    """What deleting some pictures does.

    ``lost`` were deleted although no other picture of their family stays. ``look_alikes`` counts the deleted
    ones by label. Of the ``photos`` that were edited, while a picture of their family stays, ``originals_gone``
    have none left with the pixels of the original, and ``files_gone`` none with its bytes.
    """

    deleted: int
    lost: tuple[str, ...]
    look_alikes: Mapping[str, int]
    photos: int
    originals_gone: int
    files_gone: int


@dataclass(frozen=True, slots=True)
class Result:
    """What one tool did: its sets, what each way to mark them would delete, and its seconds of wall and CPU time."""

    name: str
    settings: str
    grouping: Grouping
    deletions: Mapping[str, Deletion]
    wall: float
    cpu: float


def sets_of(groups: Iterable[Group]) -> list[PictureSet]:
    """The groups of a find run as sets."""
    return [
        PictureSet(
            group.keeper.path,
            tuple(Placed(member.picture.path, member.tier, member.marked) for member in group.others),
        )
        for group in groups
    ]


def marked(sets: Iterable[PictureSet]) -> set[str]:
    """The paths marked for removal."""
    return {placed.path for one in sets for placed in one.others if placed.marked}


def judge_grouping(truths: Sequence[Truth], sets: Sequence[PictureSet]) -> Grouping:
    """How well sets agree with the truth."""
    by_path = {truth.path: truth for truth in truths}
    found, with_original = _beside_a_copy(by_path, sets)
    edits: dict[tuple[str, str], list[Truth]] = {}
    for truth in truths:
        if truth.label == EDIT:
            edits.setdefault((truth.tier, truth.kind), []).append(truth)
    sizes = Counter(family for truth in truths for family in truth.families)
    # A copy whose others are not here cannot be found.
    same = [truth for truth in truths if truth.label == SAME and all(sizes[family] > 1 for family in truth.families)]

    def recall(copies: Iterable[Truth]) -> Recall:
        paths = {truth.path for truth in copies}
        return Recall(len(paths), len(paths & found), len(paths & with_original))

    return Grouping(
        {kind: recall(copies) for kind, copies in edits.items()},
        recall(same),
        _certainty(by_path, sets, found),
        _mixed(by_path, sets),
        _wrong_members(by_path, sets),
        {label: sum(truth.label == label for truth in truths) for label in LOOK_ALIKES},
        _look_alikes_in(by_path, sets),
    )


def judge_deletion(truths: Sequence[Truth], deleted: set[str]) -> Deletion:
    """What remains when these paths are deleted."""
    living = [truth for truth in truths if truth.path not in deleted]
    alive = _families(living)
    same_pixels = _families(truth for truth in living if truth.label == ORIGINAL or truth.tier == "exact")
    same_bytes = _families(truth for truth in living if truth.label == ORIGINAL or truth.kind == "byte copy")
    photos = _families(truth for truth in truths if truth.label == ORIGINAL)
    gone = [truth for truth in truths if truth.path in deleted]
    return Deletion(
        len(gone),
        tuple(truth.path for truth in gone if not truth.families & alive),
        {label: sum(truth.label == label for truth in gone) for label in LOOK_ALIKES},
        len(photos),
        len((photos & alive) - same_pixels),
        len((photos & alive) - same_bytes),
    )


def _families(truths: Iterable[Truth]) -> set[str]:
    return {family for truth in truths for family in truth.families}


def _beside_a_copy(by_path: Mapping[str, Truth], sets: Iterable[PictureSet]) -> tuple[set[str], set[str]]:
    """The paths in a set with another picture of a family of theirs, and those in a set with its original."""
    found, with_original = set(), set()
    for one in sets:
        members = [by_path[path] for path, _ in one.ranked()]
        size = Counter(family for truth in members for family in truth.families)
        originals = _families(truth for truth in members if truth.label == ORIGINAL)
        for truth in members:
            if any(size[family] > 1 for family in truth.families):
                found.add(truth.path)
            if truth.families & originals and truth.label != ORIGINAL:
                with_original.add(truth.path)
    return found, with_original


def _certainty(by_path: Mapping[str, Truth], sets: Iterable[PictureSet], found: set[str]) -> dict[str, tuple[int, ...]]:
    """Of each tier of edits, how many were found at each rank."""
    ranks = [(by_path[path].tier, rank) for one in sets for path, rank in one.ranked() if path in found]
    counts = Counter(ranks)
    return {tier: tuple(counts[tier, rank] for rank in range(len(RANKS))) for tier in dict(ranks) if tier}


def _mixed(by_path: Mapping[str, Truth], sets: Iterable[PictureSet]) -> tuple[int, ...]:
    """How many pictures share a set with one of another family, by the surest rank at which they do."""
    counts = [0] * len(RANKS)
    for one in sets:
        known: set[str] = set()
        for rank in range(len(RANKS)):
            members = [by_path[path] for path, its_rank in one.ranked() if its_rank <= rank]
            strangers = _with_strangers(members)
            counts[rank] += len(strangers - known)
            known |= strangers
    return tuple(counts)


def _with_strangers(members: Sequence[Truth]) -> set[str]:
    """The paths of those members that have no family in common with some other member."""
    # Counted by kinds of member: a set of another tool can hold thousands of pictures.
    kinds = Counter(truth.families for truth in members)
    kin = {kind: sum(count for other, count in kinds.items() if other & kind) for kind in kinds}
    return {truth.path for truth in members if kin[truth.families] < len(members)}


def _wrong_members(by_path: Mapping[str, Truth], sets: Iterable[PictureSet]) -> tuple[WrongMember, ...]:
    """Every member of another family than its keeper, the surest first."""
    wrong = [
        (placed.rank, WrongMember(placed.path, one.keeper, placed.tier))
        for one in sets
        for placed in one.others
        if not by_path[placed.path].families & by_path[one.keeper].families
    ]
    return tuple(member for _, member in sorted(wrong, key=lambda row: (row[0], row[1].keeper, row[1].path)))


def _look_alikes_in(by_path: Mapping[str, Truth], sets: Iterable[PictureSet]) -> dict[str, tuple[int, ...]]:
    counts = {label: [0] * len(RANKS) for label in LOOK_ALIKES}
    for one in sets:
        for path, rank in one.ranked():
            if by_path[path].label in counts:
                counts[by_path[path].label][rank] += 1
    return {label: tuple(row) for label, row in counts.items()}
