"""Every pair at or above a threshold, chunk by chunk, within one folder or between several.

Exact: a fast float32 product with a margin proposes pairs, float64 decides. Memory is the
vectors as stored, one tile, and the pairs found; nothing of size n x n ever exists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from dedup.errors import DedupError
from dedup.progress import Progress, Report, silent
from dedup.vectors import Vectors

Rows = np.ndarray[Any, np.dtype[Any]]
IntVector = np.ndarray[Any, np.dtype[np.int64]]
FloatVector = np.ndarray[Any, np.dtype[np.float64]]
Product = Callable[[Rows, Rows], Rows]

# Larger than the error of a float32 dot product of unit vectors at any dimension used here.
MARGIN = 1e-4
# Pairs equal to the threshold up to float64 rounding count as at it.
ROUNDING = 1e-9
# About two gigabytes; more comes only from a threshold far too low, and is an error, never a cut.
MAX_PAIRS = 40_000_000
DEFAULT_TILE_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Matches:
    """Pairs of row numbers with left < right, best first; similarity is exact, in float64."""

    left: IntVector
    right: IntVector
    similarity: FloatVector

    def __len__(self) -> int:
        return len(self.left)


def find_matches(
    vectors: Vectors | Rows,
    threshold: float,
    folders: IntVector | None = None,
    *,
    within: bool = True,
    report: Report = silent,
    tile_bytes: int = DEFAULT_TILE_BYTES,
    device: str = "cpu",
) -> Matches:
    """Every pair of rows whose similarity is at or above the threshold, each once, best first.

    ``vectors`` may be an (n, dim) array of any float dtype, rows of any length but zero. The
    similarity is the cosine; of fingerprints with several views, that of the best view. ``folders`` gives
    each row's folder number; with ``within=False`` only pairs from different folders come
    back. Raises DedupError when a low threshold makes more pairs than memory can hold.
    """
    vectors = Vectors.of(vectors)
    count = len(vectors)
    folders = np.zeros(count, dtype=np.int64) if folders is None else folders
    order = np.argsort(folders, kind="stable")
    side = _tile_side(vectors, tile_bytes)
    found: list[tuple[IntVector, IntVector, FloatVector]] = []
    total = 0
    tiles = list(_tiles(folders[order], side, within))
    product = _product_on(device)
    for number, (rows, columns) in enumerate(tiles):
        report(Progress("comparisons", number, len(tiles)))
        part = _match_tile(vectors, order, rows, columns, threshold, product)
        if not within and len(part[0]):
            between = folders[part[0]] != folders[part[1]]
            part = part[0][between], part[1][between], part[2][between]
        found.append(part)
        total += len(part[0])
        if total > MAX_PAIRS:
            raise DedupError(
                f"More than {MAX_PAIRS:,} pairs are at or above the threshold {threshold:g}.",
                "Choose a higher threshold.",
            )
    report(Progress("comparisons", len(tiles), len(tiles)))
    return _best_first(found)


def _tiles(folders: IntVector, side: int, within: bool) -> Iterator[tuple[slice, slice]]:
    """Blocks of the upper triangle that can hold wanted pairs; rows are sorted by folder."""
    count = len(folders)
    for top in range(0, count, side):
        bottom = min(top + side, count)
        first = top
        if not within:
            # Columns of the rows' own folder hold nothing: start where the next folder does.
            first = max(top, int(np.searchsorted(folders, folders[top], side="right")))
        for left in range(first, count, side):
            yield slice(top, bottom), slice(left, min(left + side, count))


def _match_tile(
    vectors: Vectors, order: IntVector, rows: slice, columns: slice, threshold: float, product: Product
) -> tuple[IntVector, IntVector, FloatVector]:
    above = _near(vectors.take(order[rows]), vectors.take(order[columns]), threshold - MARGIN, product)
    near_rows, near_columns = np.nonzero(above)
    first, second = near_rows + rows.start, near_columns + columns.start
    upper = first < second
    left, right = order[first[upper]], order[second[upper]]
    similarity = vectors.similarity(left, right)
    good = similarity >= threshold - ROUNDING
    left, right, similarity = left[good], right[good], similarity[good]
    return np.minimum(left, right), np.maximum(left, right), similarity


def _near(first: Vectors, second: Vectors, lowest: float, product: Product) -> Rows:
    """(len(first), len(second)) booleans: whether the similarity in any view reaches ``lowest``."""
    upright, other = first.unit(), second.unit()
    near: Rows = product(upright, other) >= lowest
    for view in range(1, first.views):
        # A turned copy matches whichever of the two is called the turned one.
        near |= product(upright, second.unit(view)) >= lowest
        near |= product(first.unit(view), other) >= lowest
    return near


def _tile_side(vectors: Vectors, tile_bytes: int) -> int:
    """Rows per tile, so that two blocks in float32 and their product fit into ``tile_bytes``."""
    dim = vectors.dim
    # 4 s^2 + 8 s dim <= tile_bytes
    side = (-8 * dim + (64 * dim * dim + 16 * tile_bytes) ** 0.5) / 8
    return max(16, int(side))


def _product_on(device: str) -> Product:
    if device == "cpu":
        return lambda first, second: first @ second.T
    import torch

    def product(first: Rows, second: Rows) -> Rows:
        a, b = torch.from_numpy(first).to(device), torch.from_numpy(second).to(device)
        result: Rows = (a @ b.T).cpu().numpy()
        return result

    return product


def _best_first(found: list[tuple[IntVector, IntVector, FloatVector]]) -> Matches:
    if not found:
        empty = np.empty(0, dtype=np.int64)
        return Matches(empty, empty, np.empty(0))
    left, right, similarity = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((right, left, -similarity))
    return Matches(left[order], right[order], similarity[order])
