"""Sets of files whose vectors are equal, or near enough to those of the first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dedup.match import find_matches
from dedup.progress import Report, silent
from dedup.vectors import Vectors


@dataclass(frozen=True, slots=True)
class EqualSet:
    """Numbers of files, the first one first, each with its similarity to the first."""

    members: tuple[tuple[int, float], ...]


def sets_of(vectors: Vectors, lowest: float | None, *, turned: bool = False, report: Report = silent) -> list[EqualSet]:
    """The sets among files whose row i is vector i: of equal vectors, or with ``lowest`` of similar ones.

    Nothing chains: a file not yet in a set takes all those that are in none and match it directly, in the order of
    the files. So each is in one set at most, and all of a set match its first. Fingerprints are compared as the
    pictures are; with ``turned`` in the orientation in which they differ least.
    """
    if vectors.is_bits and not turned:
        vectors = Vectors(vectors.rows[:, :1], vectors.dim)
    if turned and lowest is None:
        lowest = 1.0
    files = _with_equal_vectors(vectors)
    alike = _Matches(vectors.take([same[0] for same in files]), lowest, report) if lowest is not None else None
    taken = bytearray(len(files))
    found = []
    for number, same in enumerate(files):
        if taken[number]:
            continue
        others = [one for one in alike.of(number) if not taken[one[0]]] if alike else []
        if len(same) + len(others) > 1:
            for other, _ in others:
                taken[other] = 1
            near = ((file, similarity) for other, similarity in others for file in files[other])
            found.append(EqualSet((*((file, 1.0) for file in same), *near)))
    return found


def _with_equal_vectors(vectors: Vectors) -> list[list[int]]:
    """The numbers of the files of each vector, in the order in which the vectors first come."""
    files: dict[bytes, list[int]] = {}
    for number, row in enumerate(vectors.rows):
        files.setdefault(row.tobytes(), []).append(number)
    return list(files.values())


class _Matches:
    """Of each vector the later ones that are similar enough."""

    def __init__(self, vectors: Vectors, lowest: float, report: Report) -> None:
        matches = find_matches(vectors, lowest, report=report)
        order = np.lexsort((matches.right, -matches.similarity, matches.left))
        self._right, self._similarity = matches.right[order], matches.similarity[order]
        self._begins = np.searchsorted(matches.left[order], np.arange(len(vectors) + 1))

    def of(self, number: int) -> list[tuple[int, float]]:
        """(number, similarity) of its matches, the most similar first."""
        rows = slice(self._begins[number], self._begins[number + 1])
        return list(zip(self._right[rows].tolist(), self._similarity[rows].tolist(), strict=True))
