"""Everything that turns a picture into a vector: one registry, one file per family."""

from __future__ import annotations

from dedup.encoders.interface import (
    BOTH,
    COSINE,
    HAMMING,
    Encoder,
    EncoderSpec,
    Float32Rows,
    LoadOptions,
    Prepare,
    Uint8Array,
)
from dedup.encoders.parameters import understand_parameters
from dedup.encoders.registry import REGISTRY, models_of_dim, spec

__all__ = [
    "BOTH",
    "COSINE",
    "HAMMING",
    "REGISTRY",
    "Encoder",
    "EncoderSpec",
    "Float32Rows",
    "LoadOptions",
    "Prepare",
    "Uint8Array",
    "models_of_dim",
    "spec",
    "understand_parameters",
]
