"""Every pair at or above a threshold, tile by tile, within one folder or between several.

Exact: bounds and a fast float32 product with a margin propose pairs, float64 decides. Memory is
the vectors as stored, their bounds, a few tiles, and the pairs found; nothing of size n x n ever exists.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from dedup.errors import DedupError
from dedup.match.bounds import BOUND_MARGIN, Bounds, bounds_for, clustered
from dedup.match.hamming import Plan, Table, pairs_of, plan_for, tables
from dedup.match.on_device import TILE, OnDevice
from dedup.match.pairs import ROUNDING, Found, IntVector, Matches, Nearest, best_first
from dedup.progress import Progress, Report, silent
from dedup.vectors import Vectors

Rows = np.ndarray[Any, np.dtype[Any]]

# Larger than the error of a float32 dot product of unit vectors at any dimension used here.
MARGIN = 1e-4
# About two gigabytes; more comes only from a threshold far too low, and is an error, never a cut.
MAX_PAIRS = 40_000_000
DEFAULT_TILE_BYTES = 64 << 20
# Fewer rows are compared in full before bounds are found.
WORTH_BOUNDS = 4096
TILE_ROWS, TILE_COLUMNS = 512, 2048  # with bounds: their product stays in a core's cache
RECENT_BLOCKS = 4
WORTH_A_CLOSER_LOOK = 64  # pairs of a tile
# Comparing a pair by itself costs as much as this many pairs of a product.
ALONE = 40


@dataclass(frozen=True, slots=True)
class _Job:
    """What all tiles share. ``order``: row numbers in the order of the tiles."""

    vectors: Vectors
    order: IntVector
    folders: IntVector
    within: bool
    threshold: float
    nearest: Nearest | None
    bounds: Bounds | None
    on_device: OnDevice | None = None
    recent: dict[int, Rows] = field(default_factory=dict)

    @property
    def lowest(self) -> float:
        """The similarity below which no pair is wanted."""
        return min(self.threshold, self.nearest.lowest) if self.nearest else self.threshold

    def unit_rows(self, start: int, numbers: IntVector) -> Rows:
        """The vectors of a row of tiles at length 1; kept, as the next tiles ask for the same."""
        block = self.recent.get(start)
        if block is None:
            block = self.vectors.take(numbers).unit()
            for old in sorted(self.recent)[: -RECENT_BLOCKS or None]:
                self.recent.pop(old, None)
            self.recent[start] = block
        return block


def find_matches(
    vectors: Vectors | Rows,
    threshold: float,
    folders: IntVector | None = None,
    *,
    within: bool = True,
    nearest: Nearest | None = None,
    report: Report = silent,
    tile_bytes: int = DEFAULT_TILE_BYTES,
    device: str = "cpu",
) -> Matches:
    """Every pair of rows whose similarity is at or above the threshold, each once, best first.

    ``vectors`` may be an (n, dim) array of any float dtype, rows of any length but zero. The
    similarity is the cosine; of fingerprints with several views, that of the best view. ``folders`` gives
    each row's folder number; with ``within=False`` only pairs from different folders come
    back. ``nearest`` collects the pairs below the threshold that deserve a look. Raises DedupError
    when a low threshold makes more pairs than memory can hold.
    """
    vectors = Vectors.of(vectors)
    count = len(vectors)
    folders = np.zeros(count, dtype=np.int64) if folders is None else folders
    lowest = min(threshold, nearest.lowest) if nearest else threshold
    bounds = bounds_for(vectors, lowest) if count >= WORTH_BOUNDS and device == "cpu" else None
    order = np.lexsort((clustered(bounds), folders)) if bounds else np.argsort(folders, kind="stable")
    if nearest is not None:
        nearest.floor(count)  # of full length before several threads ask for it
    on_device = OnDevice(vectors, order, device) if device != "cpu" else None
    job = _Job(vectors, order, folders, within, threshold, nearest, bounds, on_device)
    work, items = _work(job, tile_bytes, device)
    found: list[Found] = []
    total = 0
    for number, part in enumerate(_in_parallel(work, items, device)):
        report(Progress("comparisons", number, len(items)))
        if nearest is not None:
            above = part[2] >= threshold - ROUNDING
            nearest.add(part[0][~above], part[1][~above], part[2][~above])
            part = part[0][above], part[1][above], part[2][above]
        if len(part[0]):
            found.append(part)
        total += len(part[0])
        if total > MAX_PAIRS:
            raise DedupError(
                f"More than {MAX_PAIRS:,} pairs are at or above the threshold {threshold:g}.",
                "Choose a higher threshold.",
            )
    report(Progress("comparisons", len(items), len(items)))
    return best_first(found)


def _work(job: _Job, tile_bytes: int, device: str) -> tuple[Callable[[Any], Found], list[Any]]:
    """What is to be done for each item, and the items: tiles, or tables of fingerprints."""
    vectors = job.vectors
    distance = math.floor((1.0 - job.lowest + ROUNDING) * vectors.dim / 2)
    plan = plan_for(len(vectors), vectors.dim, distance) if vectors.is_bits and device == "cpu" else None
    if plan is not None:
        return lambda table: _match_table(job, table, distance, plan), tables(vectors, plan)
    side = _tile_side(vectors, tile_bytes)
    shape = (TILE_ROWS, TILE_COLUMNS) if job.bounds else (TILE, TILE) if job.on_device else (side, side)
    return lambda tile: _match_tile(job, *tile), list(_tiles(job.folders[job.order], shape, job.within))


def _match_table(job: _Job, table: Table, distance: int, plan: Plan) -> Found:
    return _wanted(job, *pairs_of(job.vectors, table, distance, plan))


def _in_parallel(work: Callable[[Any], Found], items: list[Any], device: str) -> Iterator[Found]:
    """The work of each item, in order; on a CPU one thread per core, each of which computes alone."""
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if device != "cpu" or len(items) < 2 or threads < 2:
        yield from map(work, items)
        return
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Found]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > 4 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _tiles(folders: IntVector, shape: tuple[int, int], within: bool) -> Iterator[tuple[slice, slice]]:
    """Blocks of the upper triangle that can hold wanted pairs; rows are sorted by folder."""
    count = len(folders)
    for top in range(0, count, shape[0]):
        bottom = min(top + shape[0], count)
        first = top
        if not within:
            # Columns of the rows' own folder hold nothing: start where the next folder does.
            first = max(top, int(np.searchsorted(folders, folders[top], side="right")))
        for left in range(first, count, shape[1]):
            yield slice(top, bottom), slice(left, min(left + shape[1], count))


def _match_tile(job: _Job, rows: slice, columns: slice) -> Found:
    first, second = job.order[rows], job.order[columns]
    if job.on_device is not None:
        left, right = job.on_device.near(rows, columns, job.lowest)
    elif job.bounds is None:
        left, right = _near(job, first, second)
    else:
        left, right = _not_ruled_out(job, job.bounds, rows.start, first, second)
    upper = left + rows.start < right + columns.start
    return _wanted(job, first[left[upper]], second[right[upper]])


def _wanted(job: _Job, left: IntVector, right: IntVector) -> Found:
    """Those of the pairs that reach the threshold and lie in the folders that are compared."""
    if not job.within:
        between = job.folders[left] != job.folders[right]
        left, right = left[between], right[between]
    similarity = job.vectors.similarity(left, right)
    good = similarity >= job.lowest - ROUNDING
    left, right, similarity = left[good], right[good], similarity[good]
    return np.minimum(left, right), np.maximum(left, right), similarity


def _not_ruled_out(
    job: _Job, bounds: Bounds, start: int, first: IntVector, second: IntVector
) -> tuple[IntVector, IntVector]:
    """Places in two lists of row numbers of the pairs that may reach the threshold: few but those that do."""
    highest = bounds.block(first) @ bounds.block(second).T
    left, right = _at_least(highest, *_floors(job, first, second, BOUND_MARGIN))
    if len(left) > WORTH_A_CLOSER_LOOK:
        left, right = _kept(job, bounds.closer, bounds.closer, first, second, left, right, BOUND_MARGIN)
    if not len(left):
        return left, right
    return _kept(job, job.unit_rows(start, first), None, first, second, left, right, MARGIN)


def _kept(
    job: _Job,
    one: Rows,
    two: Rows | None,
    first: IntVector,
    second: IntVector,
    left: IntVector,
    right: IntVector,
    margin: float,
) -> tuple[IntVector, IntVector]:
    """Those of the places (left, right) in two lists of row numbers whose product reaches what is wanted of the pair.

    ``one`` and ``two``: all rows of the second bound; or the first list's unit vectors and nothing.
    """
    rows, row_of = np.unique(left, return_inverse=True)
    columns, column_of = np.unique(right, return_inverse=True)
    if two is None:
        a, b = one[rows], job.vectors.take(second[columns]).unit()
    else:
        a, b = one[first[rows]].astype(np.float32), two[second[columns]].astype(np.float32)
    if ALONE * len(left) < len(rows) * len(columns):
        similarity = np.concatenate(
            [np.einsum("ij,ij->i", a[row_of[part]], b[column_of[part]]) for part in _parts(len(left))]
        )
    else:
        similarity = (a @ b.T)[row_of, column_of]
    near = similarity >= _lowest_of_pairs(job, first[left], second[right]) - margin
    return left[near], right[near]


def _parts(count: int, size: int = 4096) -> Iterator[slice]:
    for start in range(0, count, size):
        yield slice(start, start + size)


def _floors(job: _Job, first: IntVector, second: IntVector, margin: float) -> tuple[Rows, Rows]:
    """Of each row and each column the similarity, less a margin, at which a pair is wanted for its sake."""
    if job.nearest is None:
        one = np.full(len(first), job.threshold - margin, dtype=np.float32)
        return one, np.full(len(second), job.threshold - margin, dtype=np.float32)
    floor = np.minimum(job.nearest.floor(len(job.vectors)), np.float32(job.threshold)) - np.float32(margin)
    return floor[first], floor[second]


def _lowest_of_pairs(job: _Job, left: IntVector, right: IntVector) -> Rows | float:
    if job.nearest is None:
        return job.threshold
    floor = np.minimum(job.nearest.floor(len(job.vectors)), np.float32(job.threshold))
    lowest: Rows = np.minimum(floor[left], floor[right])
    return lowest


def _at_least(products: Rows, row_floor: Rows, column_floor: Rows) -> tuple[IntVector, IntVector]:
    """Where a product reaches the floor of its row or of its column."""
    lowest = min(float(row_floor.min()), float(column_floor.min()))
    # Eight places at a time: nearly all of them hold nothing.
    above = np.greater_equal(products, np.float32(lowest)).ravel()
    whole = len(above) // 8 * 8
    eights = np.flatnonzero(above[:whole].view(np.uint64))
    places = (eights[:, None] * 8 + np.arange(8)).ravel()
    places = np.concatenate([places[above[places]], np.arange(whole, len(above))[above[whole:]]])
    left, right = np.divmod(places, products.shape[1])
    reached = products.ravel()[places] >= np.minimum(row_floor[left], column_floor[right])
    return left[reached], right[reached]


def _near(job: _Job, first: IntVector, second: IntVector) -> tuple[IntVector, IntVector]:
    """Places in two lists of row numbers of the pairs that in any view may reach the threshold."""
    one, two = job.vectors.take(first), job.vectors.take(second)
    upright, other = one.unit(), two.unit()
    lowest = job.lowest - MARGIN
    near: Rows = upright @ other.T >= lowest
    for view in range(1, one.views):
        # A turned copy matches whichever of the two is called the turned one.
        near |= upright @ two.unit(view).T >= lowest
        near |= one.unit(view) @ other.T >= lowest
    left, right = np.nonzero(near)
    return left, right


def _tile_side(vectors: Vectors, tile_bytes: int) -> int:
    """Rows per tile, so that two blocks in float32 and their product fit into ``tile_bytes``."""
    dim = vectors.dim
    # 4 s^2 + 8 s dim <= tile_bytes
    side = (-8 * dim + (64 * dim * dim + 16 * tile_bytes) ** 0.5) / 8
    return max(16, int(side))
