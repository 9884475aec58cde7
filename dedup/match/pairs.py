"""Pairs of row numbers with their similarity, and of each row the nearest ones below the threshold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

IntVector = np.ndarray[Any, np.dtype[np.integer[Any]]]
FloatVector = np.ndarray[Any, np.dtype[np.float64]]
BoolVector = np.ndarray[Any, np.dtype[np.bool_]]
Found = tuple[IntVector, IntVector, FloatVector]

# Pairs equal to the threshold up to float64 rounding count as at it.
ROUNDING = 1e-9
# Candidate pairs in memory before those beyond the nearest are let go: about a hundred megabytes.
HELD_AT_ONCE = 2_000_000
# Candidates are added with similarities that are this exact; so much below the last of the nearest may be one of them.
SLACK = 1e-5
# Beyond so many pairs nobody can tell similarities apart that differ by so little.
MANY, FINE_ENOUGH = 4_000_000, 1e-7
SORTED_AT_ONCE = 1 << 17
MOST_IN_SLACK = 3  # times as many as are wanted


@dataclass(frozen=True, slots=True)
class Matches:
    """Pairs of row numbers with left < right, best first, with their similarity."""

    left: IntVector
    right: IntVector
    similarity: FloatVector

    def __len__(self) -> int:
        return len(self.left)


NO_MATCHES = Matches(np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int32), np.empty(0))


class Nearest:
    """Pairs collected while matching: of each row its ``most`` nearest at or above ``lowest``, in either direction."""

    def __init__(self, lowest: float, most: int) -> None:
        self.lowest = lowest
        self.most = most
        self._found: list[Found] = []
        self._held = 0
        self._limit = 0
        self._floor: np.ndarray[Any, np.dtype[np.float32]] = np.empty(0, dtype=np.float32)
        self._has_more: BoolVector = np.empty(0, dtype=bool)

    def is_cut(self, count: int) -> BoolVector:
        """(count,) which rows have more than ``most`` others at or above ``lowest``."""
        self._prune()
        self.floor(count)
        return self._has_more[:count]

    def floor(self, count: int) -> np.ndarray[Any, np.dtype[np.float32]]:
        """(count,) of each row the similarity that a pair must exceed to be among its nearest, as far as is known."""
        if len(self._floor) < count:
            grown = np.full(count, self.lowest, dtype=np.float32)
            grown[: len(self._floor)] = self._floor
            self._floor = grown
            self._has_more = np.concatenate([self._has_more, np.zeros(count - len(self._has_more), dtype=bool)])
        return self._floor

    def add(self, left: IntVector, right: IntVector, similarity: FloatVector) -> None:
        """Take pairs of row numbers; now and then those that cannot be among the nearest are let go."""
        if not len(left):
            return
        self._found.append((left, right, similarity))
        self._held += len(left)
        if self._held > self._limit + min(HELD_AT_ONCE, max(4096, self._limit)):
            self._prune()

    def add_cut(self, rows: BoolVector) -> None:
        """Rows known from elsewhere to have more others than are kept, when all pairs are here."""
        self.floor(len(rows))
        self._has_more[: len(rows)] |= rows

    def make_exact(self, similarity: Callable[[IntVector, IntVector], FloatVector]) -> None:
        """Replace the similarities that pairs were added with by exact ones, and keep what is among the nearest."""
        self._prune()
        left, right, _ = self._found[0]
        exact = similarity(left, right)
        reached = exact >= self.lowest - ROUNDING
        self._found = [(left[reached], right[reached], exact[reached])]
        self._prune(slack=0.0)

    def matches(self) -> Matches:
        """The pairs that remain, best first."""
        self._prune()
        return best_first(self._found)

    def _prune(self, slack: float = SLACK) -> None:
        pairs = best_first(self._found)
        if len(pairs):
            rows, rank, place = _ranks(pairs.left, pairs.right)
            # The next after the nearest shows that a row has more; what is below cannot be among them.
            full = rank == self.most
            floor = self.floor(int(rows.max()) + 1)
            least = (pairs.similarity[place[full]] - slack).astype(np.float32)
            floor[rows[full]] = np.maximum(floor[rows[full]], least)
            self._has_more[rows[full]] = True
            keep = np.zeros(len(pairs), dtype=bool)
            keep[place[rank < self.most]] = True
            if slack:
                near = pairs.similarity[place] >= np.where(self._has_more, floor, np.inf)[rows]
                keep[place[near & (rank < MOST_IN_SLACK * self.most)]] = True
            pairs = Matches(pairs.left[keep], pairs.right[keep], pairs.similarity[keep])
        self._found, self._held = [(pairs.left, pairs.right, pairs.similarity)], len(pairs)
        self._limit = self._held


def _ranks(left: IntVector, right: IntVector) -> tuple[IntVector, IntVector, IntVector]:
    """For pairs sorted best first, twice each: (row, how many of the row's pairs are better, number of the pair)."""
    rows = np.concatenate([left, right])
    place = np.tile(np.arange(len(left)), 2)
    order = np.lexsort((place, rows))
    rows, place = rows[order], place[order]
    return rows, np.arange(len(rows)) - np.searchsorted(rows, rows), place


def united(parts: Sequence[Matches]) -> Matches:
    """All pairs, best first; one found several times has the similarity of the part named first."""
    if len(parts) == 1:
        return parts[0]
    left, right = (np.concatenate(sides) for sides in ([one.left for one in parts], [one.right for one in parts]))
    similarity = np.concatenate([one.similarity for one in parts])
    _, first = np.unique(left.astype(np.int64) << 32 | right, return_index=True)
    return best_first([(left[first], right[first], similarity[first])])


def those(pairs: Found, wanted: BoolVector) -> Found:
    """Some of the pairs."""
    return pairs[0][wanted], pairs[1][wanted], pairs[2][wanted]


def best_first(found: Sequence[Found]) -> Matches:
    """All pairs as one, each once, the most similar first; equally similar ones in order of their numbers.

    Of more than MANY pairs the similarity is exact to 1e-7 only, and never below what it was.
    """
    if not found:
        return NO_MATCHES
    left, right, similarity = (np.concatenate(column) for column in zip(*found, strict=True))
    if not len(left):
        return Matches(left, right, similarity)
    left, right, similarity = _sorted(left, right, similarity)
    again = (left[1:] == left[:-1]) & (right[1:] == right[:-1])
    if not again.any():
        return Matches(left, right, similarity)
    first = np.concatenate([[True], ~again])
    return Matches(left[first], right[first], similarity[first])


def _sorted(left: IntVector, right: IntVector, similarity: FloatVector) -> Found:
    """The pairs in the order that ``np.lexsort((right, left, -similarity))`` gives, several times as fast.

    One whole number holds the similarity, as finely as it has room, and then both numbers. Many of these are sorted
    themselves and taken apart again. Of few the places are sorted, and what the coarseness of their similarity leaves
    out of order is put right by a stable sort, quick on what is nearly in order.
    """
    bits = max(int(left.max()), int(right.max()), 1).bit_length()
    levels = (1 << (62 - 2 * bits)) - 1
    best = float(similarity.max())
    step = max(best - float(similarity.min()), 1e-12) / levels
    if len(similarity) > MANY and step <= FINE_ENOUGH:
        _sort_in_place(left, right, similarity, best, step, bits)
        return left, right, similarity
    order = np.argsort(_keys(left, right, similarity, best, step, bits))
    order = order[np.argsort(-similarity[order], kind="stable")]
    return left[order], right[order], similarity[order]


def _keys(
    left: IntVector, right: IntVector, similarity: FloatVector, best: float, step: float, bits: int
) -> np.ndarray[Any, np.dtype[np.int64]]:
    keys = ((best - similarity) / step).astype(np.int64)
    for numbers in (left, right):
        keys <<= bits
        keys |= numbers
    return keys


def _sort_in_place(
    left: IntVector, right: IntVector, similarity: FloatVector, best: float, step: float, bits: int
) -> None:
    """Sort very many pairs in the memory they lie in: to ask for more takes several times as long as the sorting."""
    keys = similarity.view(np.int64)
    parts = [slice(start, start + SORTED_AT_ONCE) for start in range(0, len(keys), SORTED_AT_ONCE)]
    for part in parts:
        keys[part] = _keys(left[part], right[part], similarity[part], best, step, bits)
    keys.sort()
    one = (1 << bits) - 1
    for part in parts:
        key = keys[part].copy()
        right[part], left[part] = key & one, key >> bits & one
        similarity[part] = best - (key >> 2 * bits) * step
