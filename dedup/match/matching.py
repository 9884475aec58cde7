"""Every pair at or above a threshold, tile by tile, within one folder or between several.

Exact: bounds and a fast float32 product with a margin propose pairs, float64 decides. Memory is
the vectors as stored, their bounds, a few tiles, and the pairs found; nothing of size n x n ever exists.
"""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from dedup.errors import DedupError
from dedup.match.bounds import Bounds, bounds_for, clustered
from dedup.match.hamming import Plan, Table, pairs_of, plan_for, tables
from dedup.match.on_device import TILE, OnDevice
from dedup.match.pairs import ROUNDING, SLACK, BoolVector, Found, IntVector, Matches, Nearest, best_first, those
from dedup.match.products import MARGIN_BFLOAT16, near, of_pairs, one_thread, worth_bfloat16
from dedup.progress import Cancelled, Progress, Report, silent
from dedup.vectors import Vectors

Rows = np.ndarray[Any, np.dtype[Any]]

# Larger than the error of a float32 dot product of unit vectors at any dimension used here.
MARGIN = 1e-4
# About two gigabytes; more comes only from a threshold far too low, and is an error, never a cut.
MAX_PAIRS = 120_000_000
SECONDS_BETWEEN_KEEPING = 60
FEW_FRESH = 8
DEFAULT_TILE_BYTES = 64 << 20
# Fewer rows are compared in full before bounds are found.
WORTH_BOUNDS = 4096
TILE_ROWS, TILE_COLUMNS = 1024, 2048  # of reduced rows: their product stays in a core's cache
WIDE_TILE = 4096  # rows and columns of a tile in bfloat16: what they cost to read is shared by so many
RECENT_BLOCKS = 2
WORTH_A_CLOSER_LOOK = 64  # pairs of a tile


Halfway = Callable[[IntVector, Sequence[Found]], None]


def nothing_kept(finished: IntVector, found: Sequence[Found]) -> None:
    """What was found before a search is broken off is let go."""


@dataclass(frozen=True, slots=True)
class Part:
    """Which rows are compared: each of the first ``fresh`` ones with all that come after it."""

    rows: IntVector
    fresh: int


@dataclass(frozen=True, slots=True)
class _Job:
    """What all tiles share. ``order``: row numbers in the order of the tiles."""

    vectors: Vectors
    order: IntVector
    fresh: int
    folders: IntVector
    within: bool
    threshold: float
    nearest: Nearest | None
    bounds: Bounds | None
    on_device: OnDevice | None
    short: bool  # whether what has no bounds is compared in bfloat16 first
    many: bool  # whether so many pairs reach the threshold that only those next to it are worth float64
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
    part: Part | None = None,
    halfway: Halfway = nothing_kept,
) -> Matches:
    """Every pair of rows whose similarity is at or above the threshold, each once, best first.

    ``vectors`` may be an (n, dim) array of any float dtype, rows of any length but zero. The
    similarity is the cosine; of fingerprints with several views, that of the best view. ``folders`` gives
    each row's folder number; with ``within=False`` only pairs from different folders come
    back. ``nearest`` collects the pairs below the threshold that deserve a look. Raises DedupError
    when a low threshold makes more pairs than memory can hold. With ``part`` only some rows are compared.
    ``halfway`` is called every minute, and when the search is broken off, with the rows that have been compared
    with all they are to be compared with, and what was found so far.
    """
    vectors = Vectors.of(vectors)
    count = len(vectors)
    folders = np.zeros(count, dtype=np.int64) if folders is None else folders
    lowest = min(threshold, nearest.lowest) if nearest else threshold
    part = part or Part(np.arange(count), count)
    worth_bounds = part.fresh >= WORTH_BOUNDS and device == "cpu"
    bounds, many = bounds_for(vectors, lowest) if worth_bounds else (None, False)
    order = _ordered(part, folders, bounds)
    if nearest is not None:
        nearest.floor(count)  # of full length before several threads ask for it
    on_device = OnDevice(vectors, order, device) if device != "cpu" else None
    short = device == "cpu" and not vectors.is_bits and worth_bfloat16(count)
    job = _Job(vectors, order, part.fresh, folders, within, threshold, nearest, bounds, on_device, short, many)
    work, items = _work(job, tile_bytes, device)
    found: list[Found] = []
    total = 0
    finished, kept = 0, time.monotonic()
    try:
        for number, pairs in enumerate(_in_parallel(work, items, device)):
            report(Progress("comparisons", number, len(items)))
            if nearest is not None:
                above = pairs[2] >= threshold - ROUNDING
                nearest.add(*those(pairs, ~above))
                pairs = those(pairs, above)
            if len(pairs[0]):
                found.append(pairs)
            total += len(pairs[0])
            if total > MAX_PAIRS:
                raise DedupError(
                    f"More than {MAX_PAIRS:,} pairs are at or above the threshold {threshold:g}.",
                    "Choose a higher threshold.",
                )
            finished = _rows_finished(items, number, finished)
            if time.monotonic() - kept > SECONDS_BETWEEN_KEEPING:
                halfway(order[:finished], found)
                kept = time.monotonic()
    except (KeyboardInterrupt, Cancelled):
        halfway(order[:finished], found)
        raise
    report(Progress("comparisons", len(items), len(items)))
    if nearest is not None:
        nearest.make_exact(vectors.similarity)
    return best_first(found)


def _ordered(part: Part, folders: IntVector, bounds: Bounds | None) -> IntVector:
    """The rows in the order of the tiles: by folder, and then like ones together; the fresh ones before the others."""
    alike = clustered(bounds)[part.rows] if bounds else np.zeros(len(part.rows), dtype=np.int64)
    is_old = np.arange(len(part.rows)) >= part.fresh
    return part.rows[np.lexsort((alike, folders[part.rows], is_old))]


def _rows_finished(items: list[Any], number: int, before: int) -> int:
    """How many rows at the beginning have met all they are to be compared with once an item is done."""
    if isinstance(items[number], Table):
        return before
    rows = items[number][0]
    is_last = number + 1 == len(items) or items[number + 1][0] != rows
    return rows.stop if is_last else before


def _work(job: _Job, tile_bytes: int, device: str) -> tuple[Callable[[Any], Found], list[Any]]:
    """What is to be done for each item, and the items: tiles, or tables of fingerprints."""
    vectors = job.vectors
    distance = math.floor((1.0 - job.lowest + ROUNDING) * vectors.dim / 2)
    # Tables find the pairs of all rows: of a few fresh ones the products are cheaper.
    worth_tables = vectors.is_bits and device == "cpu" and job.fresh * FEW_FRESH >= len(vectors)
    plan = plan_for(len(vectors), vectors.dim, distance) if worth_tables else None
    if plan is not None:
        return lambda table: _match_table(job, table, distance, plan), tables(vectors, plan)
    side = _tile_side(vectors, tile_bytes)
    shape = (side, side)
    if job.on_device:
        shape = TILE, TILE
    elif job.bounds:
        shape = TILE_ROWS, TILE_COLUMNS
    elif job.short:
        # Two blocks in float32 and two in bfloat16.
        wide = max(16, min(WIDE_TILE, tile_bytes // (12 * vectors.dim)))
        shape = wide, wide
    return lambda tile: _match_tile(job, *tile), list(_tiles(job.folders[job.order], shape, job.within, job.fresh))


def _match_table(job: _Job, table: Table, distance: int, plan: Plan) -> Found:
    """The pairs one table finds, of the rows that are compared."""
    left, right = pairs_of(job.vectors, table, distance, plan)
    compared = np.zeros(len(job.vectors), dtype=bool)
    compared[job.order[: job.fresh]] = True
    fresh = compared[left] | compared[right]
    compared[job.order] = True
    wanted = fresh & compared[left] & compared[right]
    return _wanted(job, left[wanted], right[wanted])


def _in_parallel(work: Callable[[Any], Found], items: list[Any], device: str) -> Iterator[Found]:
    """The work of each item, in order; on a CPU one thread per core, each of which computes alone."""
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if device != "cpu" or len(items) < 2 or threads < 2:
        yield from map(work, items)
        return
    with threadpool_limits(1, "blas"), one_thread(), ThreadPoolExecutor(threads) as pool:
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


def _tiles(folders: IntVector, shape: tuple[int, int], within: bool, fresh: int) -> Iterator[tuple[slice, slice]]:
    """Blocks of the upper part of the first ``fresh`` rows that can hold wanted pairs; these are sorted by folder."""
    count = len(folders)
    for top in range(0, fresh, shape[0]):
        bottom = min(top + shape[0], fresh)
        first = top
        if not within and fresh == count:
            # Columns of the rows' own folder hold nothing: start where the next folder does.
            first = max(top, int(np.searchsorted(folders, folders[top], side="right")))
        for left in range(first, count, shape[1]):
            yield slice(top, bottom), slice(left, min(left + shape[1], count))


def _match_tile(job: _Job, rows: slice, columns: slice) -> Found:
    first, second = job.order[rows], job.order[columns]
    similarity: Rows | None = None
    if job.on_device is not None:
        left, right = job.on_device.near(rows, columns, job.lowest)
    elif job.bounds is None and job.short:
        left, right, similarity = _near_in_bfloat16(job, rows.start, first, second)
    elif job.bounds is None:
        left, right = _near(job, first, second)
    else:
        left, right, similarity = _not_ruled_out(job, job.bounds, rows.start, first, second)
    upper = left + rows.start < right + columns.start
    return _wanted(job, first[left[upper]], second[right[upper]], None if similarity is None else similarity[upper])


def _wanted(job: _Job, left: IntVector, right: IntVector, similarity: Rows | None = None) -> Found:
    """Those of the pairs that reach the threshold and lie in the folders that are compared.

    Their similarity is exact, but where ``similarity`` is given within MARGIN: of pairs below the threshold, which
    are only collected, and of pairs above it where there are too many.
    """
    if not job.within:
        between = job.folders[left] != job.folders[right]
        left, right = left[between], right[between]
        similarity = None if similarity is None else similarity[between]
    if similarity is None:
        similarity = job.vectors.similarity(left, right)
    else:
        similarity = similarity.astype(np.float64)
        doubtful = similarity >= job.threshold - MARGIN
        if job.many:
            doubtful &= similarity <= job.threshold + MARGIN
        similarity[doubtful] = job.vectors.similarity(left[doubtful], right[doubtful])
    good = similarity >= job.lowest - (SLACK if job.nearest else ROUNDING)
    left, right, similarity = left[good], right[good], similarity[good]
    return np.minimum(left, right).astype(np.int32), np.maximum(left, right).astype(np.int32), similarity


def _not_ruled_out(
    job: _Job, bounds: Bounds, start: int, first: IntVector, second: IntVector
) -> tuple[IntVector, IntVector, Rows]:
    """Places in two lists of row numbers of the pairs that may reach the threshold, and their similarity to MARGIN."""
    floors = _floors(job, first, second)
    lowest = min(float(floors[0].min()), float(floors[1].min()))
    margin = bounds.rows.margin
    left, right, highest = bounds.rows.at_least(first, second, lowest - margin)
    left, right, _ = _reaching(floors, left, right, highest, margin)
    if bounds.closer is not None and len(left) > WORTH_A_CLOSER_LOOK:
        rows, row_of, columns, column_of = _compacted(left, right)
        highest = bounds.closer.of_pairs(first[rows], second[columns], row_of, column_of)
        left, right, _ = _reaching(floors, left, right, highest, bounds.closer.margin)
    if not len(left):
        return left, right, np.empty(0, dtype=np.float32)
    rows, row_of, columns, column_of = _compacted(left, right)
    one, two = job.unit_rows(start, first)[rows], job.vectors.take(second[columns]).unit()
    return _reaching(floors, left, right, of_pairs(one, two, row_of, column_of), MARGIN)


def _compacted(left: IntVector, right: IntVector) -> tuple[IntVector, IntVector, IntVector, IntVector]:
    """(the rows that pairs are in, each pair's place among them, the columns, each pair's place among them)."""
    rows, columns = _among(left), _among(right)
    return np.flatnonzero(rows), _place(rows)[left], np.flatnonzero(columns), _place(columns)[right]


def _among(places: IntVector) -> BoolVector:
    among = np.zeros(int(places.max()) + 1, dtype=bool)
    among[places] = True
    return among


def _place(among: BoolVector) -> IntVector:
    return np.cumsum(among) - 1


def _floors(job: _Job, first: IntVector, second: IntVector) -> tuple[Rows, Rows]:
    """Of each row and each column the similarity at which a pair is wanted for its sake."""
    if job.nearest is None:
        one = np.full(len(first), job.threshold, dtype=np.float32)
        return one, np.full(len(second), job.threshold, dtype=np.float32)
    floor = np.minimum(job.nearest.floor(len(job.vectors)), np.float32(job.threshold))
    return floor[first], floor[second]


def _reaching(
    floors: tuple[Rows, Rows], left: IntVector, right: IntVector, similarity: Rows, margin: float
) -> tuple[IntVector, IntVector, Rows]:
    """Those of the pairs whose similarity, or its bound, reaches the floor of its row or column less a margin."""
    wanted = similarity >= np.minimum(floors[0][left], floors[1][right]) - np.float32(margin)
    return left[wanted], right[wanted], similarity[wanted]


def _near_in_bfloat16(job: _Job, start: int, first: IntVector, second: IntVector) -> tuple[IntVector, IntVector, Rows]:
    """Places in two lists of row numbers of the pairs that may reach the threshold, and their similarity to MARGIN."""
    floors = _floors(job, first, second)
    lowest = min(float(floors[0].min()), float(floors[1].min())) - MARGIN_BFLOAT16
    one, two = job.unit_rows(start, first), job.vectors.take(second).unit()
    found = []
    for rows, columns, left, right in near(one, two, lowest):
        similarity = of_pairs(one[rows], two[columns], left, right)
        found.append(_reaching(floors, left + rows.start, right + columns.start, similarity, MARGIN))
    left, right, similarity = (np.concatenate(column) for column in zip(*found, strict=True))
    return left, right, similarity


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
