"""Pairs looked up by either of their members, held in arrays: millions of them take a few bytes each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dedup.match.pairs import BoolVector, IntVector, Matches


class Adjacency:
    """Of each of ``count`` rows its partners, with the similarity and a flag of the pair."""

    def __init__(self, count: int, pairs: Matches, flags: BoolVector) -> None:
        rows = np.concatenate([pairs.left, pairs.right])
        order = np.lexsort((np.concatenate([pairs.right, pairs.left]), rows))
        self._starts = np.searchsorted(rows[order], np.arange(count + 1))
        self._others = np.concatenate([pairs.right, pairs.left])[order].astype(np.int32)
        self._pair = (order % max(len(pairs), 1)).astype(np.int32)
        self._similarity, self._flags = pairs.similarity, flags

    def rows(self) -> IntVector:
        """The rows that have a partner, in order."""
        return np.flatnonzero(np.diff(self._starts))

    def of(self, row: int) -> Iterator[tuple[int, float, bool]]:
        """(partner, similarity, flag) of each pair of a row, by the partner's number."""
        for at in range(self._starts[row], self._starts[row + 1]):
            pair = self._pair[at]
            yield int(self._others[at]), float(self._similarity[pair]), bool(self._flags[pair])


class Buckets:
    """The numbers 0 to n - 1 by the bucket each lies in, in arrays instead of a list for each bucket."""

    def __init__(self, bucket_of: IntVector) -> None:
        self._numbers = np.argsort(bucket_of, kind="stable")
        self._starts = np.searchsorted(bucket_of[self._numbers], np.arange(int(bucket_of.max(initial=-1)) + 2))

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, bucket: int) -> list[int]:
        """The numbers in a bucket, in order."""
        found: list[int] = self._numbers[self._starts[bucket] : self._starts[bucket + 1]].tolist()
        return found

    def size(self, bucket: int) -> int:
        """How many numbers lie in a bucket."""
        return int(self._starts[bucket + 1] - self._starts[bucket])

    def firsts(self) -> IntVector:
        """Of each bucket its first number; there is none without."""
        return self._numbers[self._starts[:-1]]
