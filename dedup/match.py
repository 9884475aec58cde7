"""Every pair at or above a threshold, chunk by chunk, within one folder or between several.

Exact: a fast float32 product with a margin proposes pairs, float64 decides. Memory is the
vectors as stored, one tile, and the pairs found; nothing of size n x n ever exists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
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
# Candidate pairs in memory before those beyond the nearest are let go: about a quarter of a gigabyte.
HELD_AT_ONCE = 10_000_000


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
    order = np.argsort(folders, kind="stable")
    side = _tile_side(vectors, tile_bytes)
    found: list[tuple[IntVector, IntVector, FloatVector]] = []
    total = 0
    tiles = list(_tiles(folders[order], side, within))
    product = _product_on(device)
    for number, (rows, columns) in enumerate(tiles):
        report(Progress("comparisons", number, len(tiles)))
        part = _match_tile(vectors, order, rows, columns, min(threshold, nearest.lowest if nearest else 1.0), product)
        if not within and len(part[0]):
            between = folders[part[0]] != folders[part[1]]
            part = part[0][between], part[1][between], part[2][between]
        if nearest is not None:
            above = part[2] >= threshold - ROUNDING
            nearest.add(part[0][~above], part[1][~above], part[2][~above])
            part = part[0][above], part[1][above], part[2][above]
        found.append(part)
        total += len(part[0])
        if total > MAX_PAIRS:
            raise DedupError(
                f"More than {MAX_PAIRS:,} pairs are at or above the threshold {threshold:g}.",
                "Choose a higher threshold.",
            )
    report(Progress("comparisons", len(tiles), len(tiles)))
    return _best_first(found)


@dataclass(slots=True)
class Nearest:
    """Pairs collected while matching: of each row its ``most`` nearest at or above ``lowest``, in either direction.

    ``cut`` counts the pairs that were above ``lowest`` and not among them.
    """

    lowest: float
    most: int
    cut: int = 0
    _found: list[tuple[IntVector, IntVector, FloatVector]] = field(default_factory=list)
    _held: int = 0

    def add(self, left: IntVector, right: IntVector, similarity: FloatVector) -> None:
        """Take pairs of row numbers; now and then those that cannot be among the nearest are let go."""
        self._found.append((left, right, similarity))
        self._held += len(left)
        if self._held > HELD_AT_ONCE:
            self._prune()

    def matches(self) -> Matches:
        """The pairs that remain, best first."""
        self._prune()
        return _best_first(self._found)

    def _prune(self) -> None:
        pairs = _best_first(self._found)
        if len(pairs):
            keep = _among_nearest(pairs.left, pairs.right, self.most)
            self.cut += int((~keep).sum())
            pairs = Matches(pairs.left[keep], pairs.right[keep], pairs.similarity[keep])
        self._found, self._held = [(pairs.left, pairs.right, pairs.similarity)], len(pairs)


def _among_nearest(left: IntVector, right: IntVector, most: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """For pairs sorted best first: whether each is among the ``most`` first of its left or of its right row."""
    count = len(left)
    rows = np.concatenate([left, right])
    place = np.tile(np.arange(count), 2)
    order = np.lexsort((place, rows))
    sorted_rows = rows[order]
    starts = np.searchsorted(sorted_rows, sorted_rows)
    rank = np.empty(2 * count, dtype=np.int64)
    rank[order] = np.arange(2 * count) - starts
    keep: np.ndarray[Any, np.dtype[np.bool_]] = (rank[:count] < most) | (rank[count:] < most)
    return keep


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
