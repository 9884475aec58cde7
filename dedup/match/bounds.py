"""Upper bounds of similarities from a few numbers per vector: most pairs need no more to be ruled out.

In the vectors' principal axes the first k coordinates p hold most of a unit vector, and r is the length of what is
left. By Cauchy and Schwarz two vectors' product is at most p.p' + r r': a product of k + 1 numbers. What it leaves
is compared in full, so nothing is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dedup.vectors import Vectors

Rows = np.ndarray[Any, np.dtype[Any]]
IntVector = np.ndarray[Any, np.dtype[np.int64]]

# The reduced rows are kept as float16, whose rounding changes the product of two unit vectors by less than 2^-10.
BOUND_MARGIN = 1.2e-3
SAMPLE = 8192  # rows that the principal axes are found from
TRIED = 1024  # rows that the number of coordinates is chosen on
CHOICES = (32, 64, 128, 256)
ROWS_AT_ONCE = 4096
CENTRES = 256
# What comparing one pair costs, in multiplications: looking at its bound, and comparing it in full if it remains.
LOOK, FULL = 24.0, 8.0
CLOSER = 2  # times as many coordinates in the second bound


@dataclass(frozen=True, slots=True)
class Bounds:
    """(n, k + 1) float16 rows: the product of two, plus BOUND_MARGIN, is at least the similarity of the vectors.

    ``rows`` have few coordinates, for the product of all with all; ``closer`` more, for where much remains.
    """

    rows: Rows
    closer: Rows

    def block(self, numbers: IntVector) -> Rows:
        """(len(numbers), k + 1) float32."""
        return self.rows[numbers].astype(np.float32)


def bounds_for(vectors: Vectors, threshold: float) -> Bounds | None:
    """Bounds with the number of coordinates that is cheapest on a sample; None where they would not pay."""
    count, dim = len(vectors), vectors.dim
    if vectors.is_bits or dim <= 2 * CHOICES[0]:
        return None
    chance = np.random.default_rng(0)
    sample = vectors.take(np.sort(chance.choice(count, min(SAMPLE, count), replace=False))).unit()
    _, axes = np.linalg.eigh((sample.T @ sample).astype(np.float64))
    axes = np.ascontiguousarray(axes[:, ::-1][:, : CHOICES[-1]].astype(np.float32))
    k = _cheapest(sample[chance.permutation(len(sample))], axes, threshold)
    return _reduced(vectors, axes, k) if k else None


def clustered(bounds: Bounds) -> IntVector:
    """(n,) of each row the number of the centre it lies nearest to; like vectors have neighbouring numbers.

    Rows in this order fill tiles that are ruled out as a whole, or are full of pairs.
    """
    chance = np.random.default_rng(0)
    centres = bounds.block(np.sort(chance.choice(len(bounds.rows), min(CENTRES, len(bounds.rows)), replace=False)))
    centres = centres[_chained(centres)]
    nearest = np.empty(len(bounds.rows), dtype=np.int64)
    for start in range(0, len(nearest), ROWS_AT_ONCE):
        part = bounds.rows[start : start + ROWS_AT_ONCE].astype(np.float32)
        nearest[start : start + ROWS_AT_ONCE] = (part @ centres.T).argmax(axis=1)
    return nearest


def _chained(centres: Rows) -> IntVector:
    """An order in which each centre is followed by the nearest of those left."""
    products = centres @ centres.T
    np.fill_diagonal(products, -np.inf)
    order = [0]
    left = np.ones(len(centres), dtype=bool)
    left[0] = False
    while left.any():
        following = int(np.where(left, products[order[-1]], -np.inf).argmax())
        order.append(following)
        left[following] = False
    return np.array(order, dtype=np.int64)


def _cheapest(sample: Rows, axes: Rows, threshold: float) -> int:
    """The number of coordinates with the least work per pair, 0 where none is better than comparing all in full."""
    first, second = sample[:TRIED], sample[TRIED : 2 * TRIED]
    if not len(second):
        return 0
    dim = axes.shape[0]
    best, least = 0, float(dim)
    for k in CHOICES:
        bound = _with_rest(first @ axes[:, :k]) @ _with_rest(second @ axes[:, :k]).T
        share = float((bound >= threshold - BOUND_MARGIN).mean())
        work = k + 1 + LOOK + share * FULL * dim
        if work < least:
            best, least = k, work
    return best


def _reduced(vectors: Vectors, axes: Rows, k: int) -> Bounds:
    closer = min(axes.shape[1], CLOSER * k)
    bounds = Bounds(*(np.empty((len(vectors), width + 1), dtype=np.float16) for width in (k, closer)))
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        part = vectors.take(np.arange(start, min(start + ROWS_AT_ONCE, len(vectors)))).unit() @ axes[:, :closer]
        bounds.rows[start : start + len(part)] = _with_rest(part[:, :k])
        bounds.closer[start : start + len(part)] = _with_rest(part)
    return bounds


def _with_rest(coordinates: Rows) -> Rows:
    """The first coordinates of unit vectors with the length of the rest beside them."""
    rest = np.sqrt(np.maximum(0.0, 1.0 - np.einsum("ij,ij->i", coordinates, coordinates)))
    return np.column_stack([coordinates, rest])
