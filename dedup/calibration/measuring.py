"""From similarities to shares: recall by kind of edit, and the false matches to expect at each threshold.

A *level* is the number of a threshold, 0 being the strictest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dedup.comparison import as_similarity
from dedup.match import ROUNDING
from dedup.progress import Progress, Report
from dedup.provenance import Provenance
from dedup.vectors import Vectors

FloatVector = np.ndarray[Any, np.dtype[np.float64]]
IntVector = np.ndarray[Any, np.dtype[np.int64]]
Rows = np.ndarray[Any, np.dtype[Any]]
Pair = tuple[int, int]

COLLECTION = 10_000  # pictures that false matches are counted for
PAIRS_IN_COLLECTION = COLLECTION * (COLLECTION - 1) / 2
STEPS = 200  # of cosine from 0 to 1
LOOSEST, LOOSER_THAN_USUAL, LOOSEST_BITS = 0.80, 0.15, 0.3
TILE = 2048
LOOKED_AT, MOST_LOOKED_AT = 24, 400  # pairs of each level, and of all
# Pairs of different pictures from which on their number is known well enough, and below which it is estimated from
# how fast pairs thin out.
TAIL = 50
# False matches in a collection from which on nobody needs to know how many exactly.
ENOUGH = 1000.0
_CLOSE = 1e-3  # of the step between two levels: what float32 may be off by


@dataclass(frozen=True, slots=True)
class Ladder:
    """Thresholds from strict to loose, evenly spaced, in the metric's own unit, and the similarities they stand for.

    ``shown`` of them are of use; the others are there to see how fast pairs thin out. ``distances`` are those of
    the similarities from 1, never 0.
    """

    thresholds: FloatVector
    similarities: FloatVector
    distances: FloatVector
    shown: int


def ladder_for(made_by: Provenance, usual: float) -> Ladder:
    """Every whole number of bits, or steps of 0.005 of cosine from 0.995; ``usual`` is the encoder's own threshold."""
    if made_by.is_bits:
        thresholds = np.arange(made_by.dim // 2 + 1, dtype=np.float64)
        shown = min(len(thresholds), max(round(LOOSEST_BITS * made_by.dim), int(usual)) + 1)
    else:
        thresholds = np.arange(STEPS - 1, -1, -1) / STEPS
        loosest = min(LOOSEST, usual - LOOSER_THAN_USUAL)
        shown = int(np.count_nonzero(thresholds >= loosest - ROUNDING))
    similarities = np.array([as_similarity(float(one), made_by) for one in thresholds])
    # No bit that differs is not no distance: it may be anything up to half a bit.
    distances = 1.0 - similarities + (1.0 / made_by.dim if made_by.is_bits else 0.0)
    return Ladder(thresholds, similarities, distances, shown)


def recall(similarities: FloatVector, ladder: Ladder) -> FloatVector:
    """(kinds, copies) similarities with their originals -> (kinds, levels) shares at or above each threshold."""
    found = similarities[:, None, :] >= ladder.similarities[None, :, None] - ROUNDING
    shares: FloatVector = found.mean(axis=2)
    return shares


@dataclass(frozen=True, slots=True)
class Pairs:
    """How many pairs there are and how many lie at each level: (levels,) counts, not cumulated.

    ``level``, ``left`` and ``right``: a random few of each level, for looking at.
    """

    total: int
    counts: IntVector
    level: IntVector
    left: IntVector
    right: IntVector

    def some_of(self, level: int) -> Iterator[Pair]:
        """The few of one level, as two row numbers each."""
        for at in np.flatnonzero(self.level == level):
            yield int(self.left[at]), int(self.right[at])


def count_pairs(vectors: Vectors, ladder: Ladder, seed: int, report: Report) -> Pairs:
    """Every pair of the vectors counted at the strictest level it reaches; memory is that of a tile."""
    rng = np.random.default_rng(seed)
    counts = np.zeros(len(ladder.thresholds) + 1, dtype=np.int64)
    few = _Few.none()
    tiles = [(top, left) for top in range(0, len(vectors), TILE) for left in range(top, len(vectors), TILE)]
    for done, (top, left) in enumerate(tiles):
        report(Progress("comparisons", done, len(tiles)))
        levels = _levels(vectors, top, left, ladder)
        counts += np.bincount(levels[levels >= 0], minlength=len(counts))
        rows, columns = np.nonzero((levels >= 0) & (levels < ladder.shown))
        of_level = levels[rows, columns].astype(np.int64)
        keys = rng.random(len(rows))
        small = np.flatnonzero(keys < few.limits(ladder.shown)[of_level])
        few = few.joined(_Few(of_level[small], keys[small], rows[small] + top, columns[small] + left))
    report(Progress("comparisons", len(tiles), len(tiles)))
    return Pairs(len(vectors) * (len(vectors) - 1) // 2, counts[:-1], few.level, few.left, few.right)


@dataclass(frozen=True, slots=True)
class _Few:
    """Pairs with random keys: those with the smallest keys of each level are a fair choice of its pairs."""

    level: IntVector
    key: FloatVector
    left: IntVector
    right: IntVector

    @classmethod
    def none(cls) -> _Few:
        empty = np.empty(0, dtype=np.int64)
        return cls(empty, np.empty(0), empty, empty)

    def limits(self, levels: int) -> FloatVector:
        """(levels,) the keys below which another pair would be chosen: 1 where there are too few yet."""
        limits = np.ones(levels)
        for level in np.flatnonzero(np.bincount(self.level, minlength=levels) == LOOKED_AT):
            limits[level] = self.key[self.level == level].max()
        return limits

    def joined(self, more: _Few) -> _Few:
        """The ``LOOKED_AT`` of each level with the smallest keys, of both."""
        level, key, left, right = (
            np.concatenate(both)
            for both in zip(
                (self.level, self.key, self.left, self.right),
                (more.level, more.key, more.left, more.right),
                strict=True,
            )
        )
        order = np.lexsort((key, level))
        rank = np.arange(len(order)) - np.searchsorted(level[order], level[order])
        chosen = order[rank < LOOKED_AT]
        return _Few(level[chosen], key[chosen], left[chosen], right[chosen])


def _levels(vectors: Vectors, top: int, left: int, ladder: Ladder) -> Rows:
    """(rows, columns) level of each pair of a tile: the number of levels where it reaches none, -1 for no pair."""
    count = len(vectors)
    rows, columns = np.arange(top, min(top + TILE, count)), np.arange(left, min(left + TILE, count))
    near = _best_view(vectors.take(rows), vectors.take(columns))
    step = ladder.similarities[0] - ladder.similarities[1]
    strictest = np.ceil((ladder.similarities[0] - near) / step - _CLOSE)
    levels: Rows = strictest.clip(0, len(ladder.thresholds)).astype(np.int16)
    levels[rows[:, None] >= columns[None, :]] = -1
    return levels


def _best_view(first: Vectors, second: Vectors) -> Rows:
    """(len(first), len(second)) float32 similarities, each in the view where it is highest."""
    upright, other = first.unit(), second.unit()
    near: Rows = upright @ other.T
    for view in range(1, first.views):
        np.maximum(near, upright @ second.unit(view).T, out=near)
        np.maximum(near, first.unit(view) @ other.T, out=near)
    return near


def count_false(
    pairs: Pairs, different: Callable[[Sequence[Pair]], Sequence[bool]], shown: int, report: Report
) -> tuple[FloatVector, list[Pair]]:
    """(levels,) how many pairs of different pictures lie at or above each threshold, and those that were met.

    From the strictest level on some pairs of each are looked at; where there are more, the share of different
    pictures among those stands for all. Once there are plenty, whatever is less similar counts as different.
    """
    false, met = 0.0, list[Pair]()
    looked_at = 0
    shares = np.ones(len(pairs.counts))
    for level in range(shown):
        report(Progress("levels looked at", level, shown))
        plenty = false >= TAIL and false * PAIRS_IN_COLLECTION / pairs.total >= ENOUGH
        if plenty or looked_at >= MOST_LOOKED_AT:
            break
        if some := list(pairs.some_of(level)):
            verdicts = different(some)
            shares[level] = np.mean(verdicts)
            met += [pair for pair, is_false in zip(some, verdicts, strict=True) if is_false]
        looked_at += len(some)
        false += shares[level] * pairs.counts[level]
    report(Progress("levels looked at", shown, shown))
    return np.cumsum(shares * pairs.counts), met


def expected_false(false: FloatVector, pairs: int, ladder: Ladder) -> tuple[FloatVector, Rows]:
    """(levels,) false matches expected in a collection of 10,000 such pictures, and which of them are estimates.

    Counts are scaled to the pairs of the collection. Where fewer than ``TAIL`` pairs were counted, too few to scale,
    the tail tells how many there would be: among nearest pairs the number within a distance r grows as a power
    of r, whose exponent is Hill's (1975) estimate, as for the local dimension of data (Levina and Bickel 2004).
    The larger of count and estimate is taken.
    """
    scale = PAIRS_IN_COLLECTION / max(1, pairs)
    tail = _tail(false, np.log(ladder.distances))
    return np.maximum(false, tail) * scale, tail > false


def _tail(false: FloatVector, logarithms: FloatVector) -> FloatVector:
    bend = int(np.argmax(false >= min(TAIL, false[-1] / 4)))
    tail = np.zeros_like(false)
    steps = np.diff(logarithms[: bend + 1])
    # The mean of log(r at the bend / r) over the pairs nearer than the bend, from their cumulated counts.
    area = float(((false[:bend] + false[1 : bend + 1]) / 2 * steps).sum())
    if area > 0:
        exponent = false[bend] / area
        tail[:bend] = false[bend] * np.exp((logarithms[:bend] - logarithms[bend]) * exponent)
    return tail


def proposed_level(expected: FloatVector, shown: int, most: float) -> int | None:
    """The loosest level at which, and at every stricter one, at most so many false matches are expected."""
    good = np.concatenate([expected[:shown] <= most, [False]])
    strict = int(np.argmin(good))
    return strict - 1 if strict else None
