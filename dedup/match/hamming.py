"""Fingerprints that differ in few bits, found without comparing all of them.

Multi-index hashing (Norouzi, Punjani, Fleet: "Fast Search in Hamming Space", 2012): cut into m pieces, two
fingerprints within d bits agree in one piece up to d // m bits. Each piece is a key to a table, looked up with every
change of so few bits; what turns up is compared in full.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import comb
from typing import Any

import numpy as np

from dedup.match.pairs import IntVector
from dedup.vectors import Vectors

Rows = np.ndarray[Any, np.dtype[Any]]

WIDEST = 22  # bits of a key: the table of where its rows begin must stay small
AT_ONCE = 2_000_000  # candidates in memory
# What a lookup and a candidate cost, in pairs of a full comparison per 64 bits.
LOOKUP, CANDIDATE = 8.0, 24.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Into how many pieces fingerprints are cut, and in how many bits of a piece two may differ."""

    pieces: int
    differing: int


def plan_for(count: int, bits: int, distance: int) -> Plan | None:
    """The cheapest plan; None where comparing all pairs costs less."""
    best, least = None, count * max(1.0, bits / 64)
    for pieces in range(max(1, -(-bits // WIDEST)), bits + 1):
        width = -(-bits // pieces)
        differing = distance // pieces
        lookups = pieces * sum(comb(width, changed) for changed in range(differing + 1))
        cost = lookups * (LOOKUP + CANDIDATE * count / 2**width)
        if cost < least:
            best, least = Plan(pieces, differing), cost
    return best


@dataclass(frozen=True, slots=True)
class Table:
    """One piece of the fingerprints of one view, by which pairs are looked up."""

    view: int
    start: int
    width: int


def tables(vectors: Vectors, plan: Plan) -> list[Table]:
    """All tables that together find every pair."""
    return [Table(view, *piece) for view in range(vectors.views) for piece in _pieces(vectors.dim, plan.pieces)]


def pairs_of(vectors: Vectors, table: Table, distance: int, plan: Plan) -> tuple[IntVector, IntVector]:
    """Row numbers (left < right) of the pairs within ``distance`` bits that this table finds, each once."""
    upright = _words(vectors.rows[:, 0])
    turned = upright if table.view == 0 else _words(vectors.rows[:, table.view])
    keys, others = (_keys(vectors.rows[:, view], table.start, table.width) for view in (0, table.view))
    order = np.argsort(others, kind="stable")
    begins = np.searchsorted(others[order], np.arange(2**table.width + 1))
    found: list[IntVector] = [np.empty((2, 0), dtype=np.int64)]
    for mask in _masks(table.width, plan.differing):
        found += _joined(upright, turned, keys ^ mask, order, begins, distance)
    left, right = np.concatenate(found, axis=1)
    together = np.unique(left * len(vectors) + right)
    return together // len(vectors), together % len(vectors)


def _pieces(bits: int, pieces: int) -> Iterator[tuple[int, int]]:
    edges = [round(i * bits / pieces) for i in range(pieces + 1)]
    yield from ((start, end - start) for start, end in pairwise(edges))


def _masks(width: int, differing: int) -> Iterator[int]:
    for changed in range(differing + 1):
        for places in combinations(range(width), changed):
            yield sum(1 << place for place in places)


def _keys(packed: Rows, start: int, width: int) -> IntVector:
    """(n,) the bits from ``start`` on of packed rows, as numbers."""
    first, last = start // 8, (start + width - 1) // 8
    bits = np.unpackbits(packed[:, first : last + 1], axis=1)[:, start - 8 * first :][:, :width]
    return bits.astype(np.int64) @ (1 << np.arange(width - 1, -1, -1, dtype=np.int64))


def _words(packed: Rows) -> Rows:
    """(n, ceil(bits / 64)) uint64 of packed rows."""
    words = np.zeros((len(packed), -(-packed.shape[1] // 8) * 8), dtype=np.uint8)
    words[:, : packed.shape[1]] = packed
    return words.view(np.uint64)


def _joined(
    upright: Rows, turned: Rows, keys: IntVector, order: IntVector, begins: IntVector, distance: int
) -> Iterator[IntVector]:
    """(2, n) the pairs within the distance among rows and the turned rows that have their key."""
    first, counts = begins[keys], begins[keys + 1] - begins[keys]
    ends = np.cumsum(counts)
    start = 0
    while start < len(keys):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + AT_ONCE, side="right")))
        count = counts[start:stop]
        left = np.repeat(np.arange(start, stop), count)
        within = np.arange(len(left)) - np.repeat(ends[start:stop] - count - before, count)
        right = order[np.repeat(first[start:stop], count) + within]
        apart = left != right if turned is not upright else left < right
        left, right = left[apart], right[apart]
        near = np.bitwise_count(upright[left] ^ turned[right]).sum(axis=1, dtype=np.int64) <= distance
        left, right = left[near], right[near]
        if len(left):
            yield np.stack([np.minimum(left, right), np.maximum(left, right)])
        start = stop
