"""The vectors of an embedding set in memory: floats as they are, fingerprints as packed bits.

Fingerprints load as +-1, so a dot product of two is n - 2 * distance: cosine and Hamming
run through the one matcher. A fingerprint may come in eight views, one for each way to turn
and mirror the picture; the first is the picture as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dedup.provenance import Provenance

Rows = np.ndarray[Any, np.dtype[Any]]
FloatVector = np.ndarray[Any, np.dtype[np.float64]]
Numbers = Sequence[int] | np.ndarray[Any, np.dtype[np.integer[Any]]]
PAIRS_AT_ONCE = 8192


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vectors of n pictures: (n, dim) floats of any length but zero, or (n, views, ceil(dim / 8)) packed bits."""

    rows: Rows
    dim: int

    @classmethod
    def of(cls, rows: Vectors | Rows) -> Vectors:
        """Vectors as they are, or an (n, dim) array of floats as vectors."""
        return rows if isinstance(rows, Vectors) else cls(rows, rows.shape[1] if rows.ndim == 2 else 1)

    @classmethod
    def empty(cls, provenance: Provenance, count: int = 0) -> Vectors:
        """Room for ``count`` vectors of a set."""
        if provenance.is_bits:
            packed = np.zeros((count, provenance.views, -(-provenance.dim // 8)), dtype=np.uint8)
            return cls(packed, provenance.dim)
        return cls(np.zeros((count, provenance.dim), dtype=np.float16), provenance.dim)

    @classmethod
    def concatenated(cls, parts: Sequence[Vectors]) -> Vectors:
        """Vectors of one set, one part after the other."""
        if len(parts) == 1:
            return parts[0]
        return cls(np.concatenate([part.rows for part in parts]), parts[0].dim)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def is_bits(self) -> bool:
        """Whether these are fingerprints."""
        return self.rows.ndim == 3

    @property
    def views(self) -> int:
        """How many views each picture has."""
        return self.rows.shape[1] if self.is_bits else 1

    def take(self, numbers: Numbers) -> Vectors:
        """The vectors of the pictures of these numbers, in that order."""
        if len(numbers) == len(self) and np.array_equal(numbers, np.arange(len(self))):
            return self  # all of them as they stand: a copy would double gigabytes
        return Vectors(self.rows[numbers], self.dim)

    def unit(self, view: int = 0) -> Rows:
        """(n, dim) float32 rows of length 1: one view of every picture."""
        if self.is_bits:
            signs = np.unpackbits(self.rows[:, view], axis=1, count=self.dim).astype(np.float32)
            return (2 * signs - 1) / np.float32(np.sqrt(self.dim))
        wide = _widened(self.rows)
        wide /= np.linalg.norm(wide, axis=1, keepdims=True)
        return wide

    def similarity(self, left: Numbers, right: Numbers) -> FloatVector:
        """The similarity of each pair (left[i], right[i]), exact in float64: the cosine in the best view."""
        parts = [
            self._similarity(
                self.rows[left[start : start + PAIRS_AT_ONCE]], self.rows[right[start : start + PAIRS_AT_ONCE]]
            )
            for start in range(0, len(left), PAIRS_AT_ONCE)
        ]
        return np.concatenate(parts) if parts else np.empty(0)

    def upright_similarity(self, left: Numbers, right: Numbers) -> FloatVector:
        """The similarity of each pair as the pictures are, neither turned nor mirrored."""
        return (
            Vectors(self.rows[:, :1], self.dim).similarity(left, right)
            if self.is_bits
            else self.similarity(left, right)
        )

    def _similarity(self, first: Rows, second: Rows) -> FloatVector:
        if not self.is_bits:
            return cosine(first, second)
        distance = np.minimum(_distance(first[:, :1], second), _distance(first, second[:, :1]))
        nearest: FloatVector = 1.0 - 2.0 * distance / self.dim
        return nearest


def cosine(first: Rows, second: Rows) -> FloatVector:
    """The cosine of each row of ``first`` with the same row of ``second``, in float64."""
    a, b = first.astype(np.float64), second.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    products: FloatVector = np.einsum("ij,ij->i", a, b) / lengths
    return np.clip(products, -1.0, 1.0)


def _widened(rows: Rows) -> Rows:
    """The rows in float32, in memory of their own; torch, where it is loaded, widens float16 ten times as fast."""
    if rows.dtype == np.float16 and rows.flags.writeable and "torch" in sys.modules:
        import torch

        wide: Rows = torch.from_numpy(rows).float().numpy()
        return wide
    return rows.astype(np.float32)


def to_blob(row: np.ndarray[Any, np.dtype[np.float32]], provenance: Provenance) -> bytes:
    """One row of an encoder, (provenance.width,), as it is stored."""
    if not provenance.is_bits:
        return row.astype(np.float16).tobytes()
    return np.packbits(row.reshape(provenance.views, provenance.dim) > 0, axis=1).tobytes()


def from_blob(blob: bytes, like: Rows) -> Rows:
    """What ``to_blob`` stored, in the shape and type of ``like``."""
    return np.frombuffer(blob, dtype=like.dtype).reshape(like.shape)


def _distance(first: Rows, second: Rows) -> FloatVector:
    """(n,) differing bits in the view where they are fewest."""
    counts = np.bitwise_count(first ^ second).sum(axis=2, dtype=np.int64)
    fewest: FloatVector = counts.min(axis=1).astype(np.float64)
    return fewest
