"""Upper bounds of similarities from a few numbers per vector: most pairs need no more to be ruled out.

In the vectors' principal axes the first k coordinates p hold most of a unit vector, and r is the length of what is
left. By Cauchy and Schwarz two vectors' product is at most p.p' + r r': a product of k + 1 numbers. What it leaves
is compared in full, so nothing is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from dedup.match.pairs import MANY
from dedup.match.products import MARGIN_BFLOAT16, MARGIN_FLOAT16, Reduced, worth_bfloat16
from dedup.vectors import Vectors

Rows = np.ndarray[Any, np.dtype[Any]]
IntVector = np.ndarray[Any, np.dtype[np.integer[Any]]]

SAMPLE = 8192  # rows that the principal axes are found from
TRIED = 1024  # rows that the number of coordinates is chosen on
# (coordinates of the first bound, of the second); 0 for none.
CHOICES = ((32, 64), (64, 128), (128, 256), (256, 512), (64, 0), (128, 0))
# What the bounds may take in memory: of many rows, fewer coordinates.
MOST_BYTES = 300 << 20
ROWS_AT_ONCE = 4096
CENTRES = 256
# What a pair costs, in multiplications of float32: looking at a product, and what is left of it after each step.
LOOK, SECOND_BOUND, IN_FULL = 5.0, 1800.0, 10_000.0
BFLOAT16_SPEED = 4.0
MOST_COORDINATES = max(max(choice) for choice in CHOICES)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Rows of k + 1 numbers: the product of two, plus their margin, is at least the similarity of the vectors.

    ``rows`` have few coordinates, for the product of all with all; ``closer`` more, for where much remains, or
    is None where memory has no room for it.
    """

    rows: Reduced
    closer: Reduced | None


def bounds_for(vectors: Vectors, threshold: float) -> tuple[Bounds | None, bool]:
    """Bounds with the number of coordinates that is cheapest on a sample, None where they would not pay.

    And whether so many pairs reach the threshold that only those next to it are worth float64.
    """
    count = len(vectors)
    if vectors.is_bits:
        return None, False
    chance = np.random.default_rng(0)
    sample = vectors.take(np.sort(chance.choice(count, min(SAMPLE, count), replace=False))).unit()
    sample = np.nan_to_num(sample)  # a row without length has no direction, and must not spoil those of the others
    _, axes = np.linalg.eigh((sample.T @ sample).astype(np.float64))
    axes = np.ascontiguousarray(axes[:, ::-1][:, :MOST_COORDINATES].astype(np.float32))
    sample = sample[chance.permutation(len(sample))]
    short = worth_bfloat16(count)
    share = float((sample[:TRIED] @ sample[TRIED : 2 * TRIED].T >= threshold).mean())
    widths = _cheapest(sample, axes, threshold - (MARGIN_BFLOAT16 if short else MARGIN_FLOAT16), short, count)
    return _reduced(vectors, axes, widths, short) if widths else None, share * count * count / 2 > MANY


def clustered(bounds: Bounds) -> IntVector:
    """(n,) of each row the number of the centre it lies nearest to; like vectors have neighbouring numbers.

    Rows in this order fill tiles that are ruled out as a whole, or are full of pairs.
    """
    chance = np.random.default_rng(0)
    centres = bounds.rows.wide(np.sort(chance.choice(len(bounds.rows), min(CENTRES, len(bounds.rows)), replace=False)))
    centres = centres[_chained(centres)]
    nearest = np.empty(len(bounds.rows), dtype=np.int64)
    for start in range(0, len(nearest), ROWS_AT_ONCE):
        part = bounds.rows.wide(np.arange(start, min(start + ROWS_AT_ONCE, len(nearest))))
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


def _cheapest(sample: Rows, axes: Rows, lowest: float, short: bool, count: int) -> tuple[int, int] | None:
    """The numbers of coordinates with the least work per pair, None where none is better than comparing all in full."""
    first, second = sample[:TRIED], sample[TRIED : 2 * TRIED]
    if not len(second):
        return None
    dim, room = axes.shape[0], MOST_BYTES // (2 * count)

    def product(width: int) -> float:
        return width / (BFLOAT16_SPEED if short else 1.0)

    @cache
    def left_by(k: int) -> float:
        bound = _with_rest(first @ axes[:, :k]) @ _with_rest(second @ axes[:, :k]).T
        return float((bound >= lowest).mean())

    def work(choice: tuple[int, int]) -> float:
        k, closer = choice
        after = SECOND_BOUND * left_by(k) + IN_FULL * left_by(closer) if closer else IN_FULL * left_by(k)
        return product(k + 1) + LOOK + after

    possible = [choice for choice in CHOICES if max(choice) < dim and sum(choice) + 2 <= room]
    best = min(possible, key=work, default=None)
    in_full = product(dim) + LOOK + IN_FULL * float((first @ second.T >= lowest).mean())
    return best if best and work(best) < in_full else None


def _reduced(vectors: Vectors, axes: Rows, widths: tuple[int, int], short: bool) -> Bounds:
    k, closer = widths
    axes = axes[:, : max(widths)]
    rows = Reduced(len(vectors), k + 1, short)
    more = Reduced(len(vectors), closer + 1, short) if closer else None
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        part = vectors.take(np.arange(start, min(start + ROWS_AT_ONCE, len(vectors)))).unit() @ axes
        rows.set(start, _with_rest(part[:, :k]))
        if more:
            more.set(start, _with_rest(part))
    return Bounds(rows, more)


def _with_rest(coordinates: Rows) -> Rows:
    """The first coordinates of unit vectors with the length of the rest beside them."""
    rest = np.sqrt(np.maximum(0.0, 1.0 - np.einsum("ij,ij->i", coordinates, coordinates)))
    return np.column_stack([coordinates, rest])
