"""The identity of an embedding set, shared by the encoders that make it and the store that keeps it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an embedding set comes from; sets that differ in any part are never mixed."""

    encoder: str
    checkpoint: str
    layer: str
    preprocessing: int
    dim: int
    dtype: str = "float16"
