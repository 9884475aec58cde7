"""How alike references and pictures are, as soon as the pictures' vectors are there."""

from __future__ import annotations

import heapq
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dedup.match import ROUNDING
from dedup.searching.reading import Batch
from dedup.vectors import Rows, Vectors


@dataclass(frozen=True, slots=True)
class Hit:
    """A picture beside a reference. ``bits``: the length of their fingerprints, 0 where embeddings were compared."""

    reference: str
    path: str
    similarity: float
    bits: int = 0
    fingerprint: str = ""

    @property
    def distance(self) -> int:
        """How many bits of the fingerprints differ."""
        return round((1.0 - self.similarity) * self.bits / 2)

    @property
    def euclidean(self) -> float:
        """The distance of two vectors of length 1 with this cosine."""
        return float(max(0.0, 2.0 - 2.0 * self.similarity) ** 0.5)


def hits(
    names: Sequence[str], references: Vectors, pictures: Iterable[Batch], lowest: float | None, *, turned: bool
) -> Generator[Hit, None, None]:
    """Each picture beside each reference, in the order of the pictures; those at or above ``lowest``, or all.

    Row i of ``references`` has name i. Fingerprints are compared as the pictures are; with ``turned`` in the
    orientation in which they differ least.
    """
    count = len(names)
    for files, vectors in pictures:
        together = Vectors.concatenated([references, vectors])
        left = np.repeat(np.arange(count, count + len(files)), count)
        right = np.tile(np.arange(count), len(files))
        compare = together.similarity if turned else together.upright_similarity
        for number, similarity in enumerate(compare(left, right).tolist()):
            if lowest is None or similarity >= lowest - ROUNDING:
                place, reference = divmod(number, count)
                bits = vectors.dim if vectors.is_bits else 0
                print_ = in_hex(vectors.rows[place], bits) if bits else ""
                yield Hit(names[reference], files[place].shown, similarity, bits, print_)


def best_of_each(found: Iterable[Hit], names: Sequence[str], most: int) -> list[Hit]:
    """The ``most`` most similar pictures of each reference, best first; equals in the order in which they came."""
    kept: dict[str, list[tuple[float, int, Hit]]] = {name: [] for name in names}
    for number, hit in enumerate(found):
        heap = kept[hit.reference]
        push = heapq.heappush if len(heap) < most else heapq.heappushpop
        push(heap, (hit.similarity, -number, hit))
    return [hit for heap in kept.values() for _, _, hit in sorted(heap, key=lambda row: row[:2], reverse=True)]


def in_hex(fingerprint: Rows, bits: int) -> str:
    """A fingerprint, (views, packed) or (packed,), as the library imagehash writes it: the picture as it stands."""
    packed = np.atleast_2d(fingerprint)[0].tobytes()
    number = int.from_bytes(packed, "big") >> (8 * len(packed) - bits)
    return f"{number:0{-(-bits // 4)}x}"
