"""What every encoder offers, and the row that describes it in the registry.

Importing this loads no deep-learning library: rows are read by menus, weights by ``load``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from dedup.encoders.parameters import Parameter
from dedup.errors import DedupError
from dedup.provenance import Provenance

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

Uint8Array = np.ndarray[Any, np.dtype[np.uint8]]
Float32Rows = np.ndarray[Any, np.dtype[np.float32]]

COSINE = "cosine"
HAMMING = "hamming"
# Pairs that only verification can tell: this share of a fingerprint's bits may differ, and a cosine may lie this many
# times as far from 1 as the threshold does.
CANDIDATE_BITS, CANDIDATE_REACH = 0.28, 6.0
# Kind "both": every kind of the row, side by side.
BOTH = "both"


class Prepare(Protocol):
    """Turns one upright RGB picture into the encoder's input, in a decode worker.

    Small and picklable: it travels to worker processes without the encoder's weights.
    """

    @property
    def size(self) -> int:
        """The side in pixels the encoder looks at; decoders may reduce to twice that."""

    def __call__(self, image: Image) -> Uint8Array:
        """A uint8 array of a fixed shape: (3, height, width) pixels, or the bits of a fingerprint."""

    def contrast(self, seen: Uint8Array, prepared: Uint8Array) -> float:
        """How much there is to see, as the standard deviation of what the encoder sees, 0 to 128.

        ``seen``: the whole picture at 64 x 64 (``preprocess.seen``); ``prepared``: the encoder's input.
        Near 0 the vector says nothing, and only equal bytes make the picture a copy of another.
        """


class Encoder(Protocol):
    """A loaded encoder, on its device."""

    @property
    def provenances(self) -> tuple[Provenance, ...]:
        """The embedding sets its rows fill, recorded with each: nearly always one."""

    @property
    def prepare(self) -> Prepare:
        """The preprocessing that belongs to its weights."""

    @property
    def device(self) -> str:
        """Where it runs: ``cpu``, ``cuda``, ``mps``."""

    def encode(self, batch: Tensor) -> Float32Rows:
        """(n, ...) uint8 -> (n, width) float32 rows: of length 1, or +-1 for fingerprints.

        With several sets a row holds theirs side by side, each of length 1. A picture's row
        does not depend on the others in the batch. Raises torch's out-of-memory errors as they
        are: the caller halves the batch.
        """

    def encode_text(self, texts: Sequence[str]) -> Float32Rows:
        """(n, dim) float32 rows of length 1 in the space of the pictures' ``final`` embedding.

        Loads the text tower the first time; raises DedupError where there is none.
        """


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How to load an encoder: which embedding, from where, on which device ("" chooses).

    ``parameters`` are those of a fingerprint that differ from its defaults.
    """

    kind: str = ""
    weights: Path | None = None
    device: str = ""
    parameters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """One row of the registry. ``kinds`` names the embeddings, the default one first.

    ``threshold`` is in the unit of ``metric``: a similarity from 0 to 1, or for ``hamming`` the
    differing bits of a fingerprint of ``dim`` bits. ``available`` tells whether it could run now
    without a download. ``checkpoint`` tells, without loading a library, the checkpoint that
    ``load`` would take with the same options; "" when only loading can tell.
    """

    name: str
    title: str
    dim: int
    load: Callable[[LoadOptions], Encoder]
    metric: str
    threshold: float
    batch_size: int
    needs: str
    where_weights_come_from: str
    good_for: str
    available: Callable[[], bool]
    checkpoint: Callable[[LoadOptions], str]
    preprocessing: int
    kinds: tuple[str, ...] = ("final",)
    text: bool = False
    # Whether its matches are proposed for removal: no where they are too often of different pictures.
    marks: bool = True
    parameters: tuple[Parameter, ...] = ()
    # The rows to offer, in this order, when the weights of this one cannot be had.
    instead: tuple[str, ...] = ()
    # How many numbers each kind has, where they differ: the first is ``dim``.
    dims: tuple[int, ...] = ()
    # From where pairs below the threshold are looked at; without one a share of the way from it to unrelated.
    candidates: float | None = None

    def layers(self, kind: str) -> tuple[str, ...]:
        """The names under which vectors of this kind are stored ("" is the default kind, "both" all)."""
        if kind == BOTH and len(self.kinds) > 1:
            return self.kinds
        if kind and kind not in self.kinds:
            offered = [*self.kinds, *([BOTH] if len(self.kinds) > 1 else [])]
            raise DedupError(f"{self.name} has no embedding {kind}.", f"Choose one of: {', '.join(offered)}.")
        return (kind or self.kinds[0],)

    def dim_of(self, layer: str) -> int:
        """How many numbers the embedding of this layer has."""
        return self.dims[self.kinds.index(layer)] if self.dims else self.dim

    def threshold_for(self, dim: int) -> float:
        """The default threshold for vectors of ``dim`` numbers or bits: bits grow with the fingerprint."""
        return round(self.threshold * dim / self.dim) if self.metric == HAMMING else self.threshold

    def candidates_for(self, dim: int) -> float:
        """From which threshold on verification looks at pairs, for vectors of ``dim`` numbers or bits."""
        if self.metric == HAMMING:
            return max(self.threshold_for(dim), round(dim * CANDIDATE_BITS))
        return self.candidates if self.candidates is not None else 1.0 - CANDIDATE_REACH * (1.0 - self.threshold)


def no_text(name: str) -> DedupError:
    """What ``encode_text`` raises where there is no text tower."""
    return DedupError(f"{name} knows no text.", "Search by text with CLIP, SigLIP, ALIGN, FLAVA, LAION or X-VLM.")
