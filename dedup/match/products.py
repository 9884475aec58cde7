"""Products of reduced rows: in bfloat16 where the processor multiplies it faster than float32.

Half the bytes, and on processors that know it four times the speed. Its rounding is within the margin of the bounds.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from torch import Tensor

# What is used of it works since release 1.12.
warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")

Rows = np.ndarray[Any, np.dtype[Any]]
IntVector = np.ndarray[Any, np.dtype[np.integer[Any]]]

# Rounding two rows of length 1 to bfloat16 (2^-9 each) and their product once more changes it by less than 3 * 2^-9;
# two rows of float16, multiplied in float32, by less than 2^-10.
MARGIN_BFLOAT16, MARGIN_FLOAT16 = 6e-3, 1.2e-3
# torch is worth its loading where there are this many rows.
WORTH_TORCH = 20_000
FASTER = 1.5
FEW_SIZES = 256
BLOCK_ROWS, BLOCK_COLUMNS = 512, 1024  # whose product stays in a core's cache
# Comparing a pair by itself costs as much as this many pairs of a product.
ALONE, ALONE_WITHOUT_TORCH, ALONE_IN_BFLOAT16 = 12, 40, 50
AT_ONCE, WORTH_SPARSE = 4096, 256


class Reduced:
    """(n, width) rows of length at most 1 in 16 bits, and their products."""

    def __init__(self, count: int, width: int, bfloat16: bool) -> None:
        self.margin = MARGIN_BFLOAT16 if bfloat16 else MARGIN_FLOAT16
        self._rows: Rows = np.empty((count, width), dtype=np.int16 if bfloat16 else np.float16)
        self._bfloat16 = bfloat16

    def __len__(self) -> int:
        return len(self._rows)

    def set(self, start: int, rows: Rows) -> None:
        """Put float32 rows at a place."""
        self._rows[start : start + len(rows)] = _as_bfloat16(rows) if self._bfloat16 else rows

    def wide(self, numbers: IntVector) -> Rows:
        """(len(numbers), width) float32."""
        return (
            _tensor(self._rows[numbers]).float().numpy() if self._bfloat16 else self._rows[numbers].astype(np.float32)
        )

    def at_least(self, first: IntVector, second: IntVector, lowest: float) -> tuple[IntVector, IntVector, Rows]:
        """(places in ``first``, places in ``second``, products) of the pairs whose product reaches ``lowest``."""
        if not self._bfloat16:
            return _reaching(self.wide(first) @ self.wide(second).T, np.float32(lowest), _as_they_are)
        return _reaching_in_bfloat16(_tensor(self._rows[first]) @ _tensor(self._rows[second]).T, lowest)

    def of_pairs(self, first: IntVector, second: IntVector, row_of: IntVector, column_of: IntVector) -> Rows:
        """(len(row_of),) float32: the product of row first[row_of[i]] and row second[column_of[i]], for each i."""
        if not self._bfloat16 or ALONE_IN_BFLOAT16 * len(row_of) < len(first) * len(second):
            return of_pairs(self.wide(first), self.wide(second), row_of, column_of)
        product = _tensor(self._rows[_filled_up(first)]) @ _tensor(self._rows[_filled_up(second)]).T
        return _widened(_bits(product)[row_of, column_of])


def _filled_up(numbers: IntVector) -> IntVector:
    """The numbers, some of them twice: torch keeps what it prepares for each size, so let there be few sizes."""
    return np.resize(numbers, -(-len(numbers) // FEW_SIZES) * FEW_SIZES)


def of_pairs(one: Rows, two: Rows, row_of: IntVector, column_of: IntVector) -> Rows:
    """(len(row_of),) the product of one[row_of[i]] and two[column_of[i]] in float32, for each i; ``row_of`` ascends."""
    alone = ALONE if "torch" in sys.modules else ALONE_WITHOUT_TORCH
    if alone * len(row_of) >= len(one) * len(two):
        products: Rows = (one @ two.T)[row_of, column_of]
        return products
    return _one_by_one(one, two, row_of, column_of)


def _one_by_one(one: Rows, two: Rows, row_of: IntVector, column_of: IntVector) -> Rows:
    if "torch" not in sys.modules or len(row_of) < WORTH_SPARSE:
        parts = [slice(start, start + AT_ONCE) for start in range(0, max(len(row_of), 1), AT_ONCE)]
        return np.concatenate([np.einsum("ij,ij->i", one[row_of[part]], two[column_of[part]]) for part in parts])
    import torch

    # A sparse matrix of the places that are wanted: the rows are multiplied where they lie, not gathered first.
    ends = np.searchsorted(row_of, np.arange(len(one) + 1))
    places = torch.sparse_csr_tensor(
        torch.from_numpy(ends),
        torch.from_numpy(column_of),
        torch.zeros(len(row_of)),
        size=(len(one), len(two)),
        check_invariants=False,
    )
    found = torch.sparse.sampled_addmm(places, torch.from_numpy(one), torch.from_numpy(two).T, beta=0.0)
    values: Rows = found.values().numpy()
    return values


def near(one: Rows, two: Rows, lowest: float) -> Iterator[tuple[slice, slice, IntVector, IntVector]]:
    """Block by block: (rows, columns, places in these rows, in these columns) of the pairs that reach ``lowest``.

    The products are of bfloat16, within MARGIN_BFLOAT16 of those of the rows.
    """
    short_one, short_two = _tensor(_as_bfloat16(one)), _tensor(_as_bfloat16(two))
    for top in range(0, len(one), BLOCK_ROWS):
        rows = slice(top, top + BLOCK_ROWS)
        for start in range(0, len(two), BLOCK_COLUMNS):
            columns = slice(start, start + BLOCK_COLUMNS)
            left, right, _ = _reaching_in_bfloat16(short_one[rows] @ short_two[columns].T, lowest)
            yield rows, columns, left, right


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch, where it is loaded, compute in the calling thread alone."""
    if "torch" not in sys.modules:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def worth_bfloat16(count: int) -> bool:
    """Whether the products of so many rows are faster in bfloat16 on this machine."""
    return count >= WORTH_TORCH and _multiplies_bfloat16_faster()


@cache
def _multiplies_bfloat16_faster() -> bool:
    import torch

    chance = np.random.default_rng(0)
    one, two = (chance.standard_normal((rows, 65), dtype=np.float32) for rows in (512, 2048))
    short_one, short_two = torch.from_numpy(one).bfloat16(), torch.from_numpy(two).bfloat16()
    with threadpool_limits(1, "blas"), one_thread():
        return _seconds(lambda: one @ two.T) > FASTER * _seconds(lambda: short_one @ short_two.T)


def _seconds(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(4):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best


def _reaching_in_bfloat16(products: Tensor, lowest: float) -> tuple[IntVector, IntVector, Rows]:
    if lowest <= 0:
        return _reaching(products.float().numpy(), np.float32(lowest), _as_they_are)
    # Positive floats are in order when read as integers, and negative ones below all of them.
    return _reaching(_bits(products), _floor_bits(lowest), _widened)


def _reaching(products: Rows, lowest: Any, values_of: Callable[[Rows], Rows]) -> tuple[IntVector, IntVector, Rows]:
    # Eight places at a time: nearly all of them hold nothing.
    flat = products.ravel()
    above = np.greater_equal(flat, lowest)
    whole = len(above) // 8 * 8
    eights = np.flatnonzero(above[:whole].view(np.uint64))
    places = (eights[:, None] * 8 + np.arange(8)).ravel()
    places = np.concatenate([places[above[places]], np.arange(whole, len(above))[above[whole:]]])
    left, right = np.divmod(places, products.shape[1])
    return left, right, values_of(flat[places])


def _as_they_are(values: Rows) -> Rows:
    return values


def _widened(bits: Rows) -> Rows:
    values: Rows = (bits.astype(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return values


def _floor_bits(lowest: float) -> np.int16:
    """The largest bfloat16 not above a positive number, as an integer."""
    bits = np.float32(lowest).view(np.uint32) >> np.uint32(16)
    return np.int16(bits)


def _as_bfloat16(rows: Rows) -> Rows:
    import torch

    return _bits(torch.from_numpy(np.ascontiguousarray(rows, dtype=np.float32)).bfloat16())


def _bits(rows: Tensor) -> Rows:
    import torch

    bits: Rows = rows.view(torch.int16).numpy()
    return bits


def _tensor(bits: Rows) -> Tensor:
    import torch

    return torch.from_numpy(bits).view(torch.bfloat16)
