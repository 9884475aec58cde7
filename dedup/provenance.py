"""The identity of an embedding set, shared by the encoders that make it and the store that keeps it."""

from __future__ import annotations

from dataclasses import dataclass

FLOATS = "float16"
BITS = "bits"
BITS_TURNED = "bits, 8 orientations"
ORIENTATIONS = 8


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an embedding set comes from; sets that differ in any part are never mixed.

    ``checkpoint`` is the hub's commit, the digest of a file of weights, or the parameters of a
    fingerprint; ``dim`` counts the numbers or bits of one view of a picture.
    """

    encoder: str
    checkpoint: str
    layer: str
    preprocessing: int
    dim: int
    dtype: str = FLOATS

    @property
    def views(self) -> int:
        """How many views of each picture are stored: eight where turned and mirrored copies are to match."""
        return ORIENTATIONS if self.dtype == BITS_TURNED else 1

    @property
    def is_bits(self) -> bool:
        """Whether the set holds fingerprints, compared by the number of bits that differ."""
        return self.dtype in (BITS, BITS_TURNED)

    @property
    def width(self) -> int:
        """How many numbers an encoder gives for one picture: the views one after the other."""
        return self.dim * self.views
