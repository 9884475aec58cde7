"""What every encoder offers, and the row that describes it in the registry.

Importing this loads no deep-learning library: rows are read by menus, weights by ``load``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from dedup.provenance import Provenance

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

Uint8Array = np.ndarray[Any, np.dtype[np.uint8]]
Float32Rows = np.ndarray[Any, np.dtype[np.float32]]


class Prepare(Protocol):
    """Turns one upright RGB picture into the encoder's input, in a decode worker.

    Small and picklable: it travels to worker processes without the encoder's weights.
    """

    @property
    def size(self) -> int:
        """The side in pixels the encoder looks at; decoders may reduce to twice that."""

    def __call__(self, image: Image) -> Uint8Array:
        """A (3, height, width) uint8 array of a fixed shape."""


class Encoder(Protocol):
    """A loaded encoder, on its device."""

    @property
    def provenance(self) -> Provenance:
        """Where its vectors come from; recorded with every embedding set."""

    @property
    def prepare(self) -> Prepare:
        """The preprocessing that belongs to its weights."""

    def encode(self, batch: Tensor) -> Float32Rows:
        """(n, 3, h, w) uint8 -> (n, dim) float32 rows of length 1.

        A picture's row does not depend on the others in the batch. Raises torch's
        out-of-memory errors as they are: the caller halves the batch.
        """


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How to load an encoder: which embedding, from where, on which device ("" chooses)."""

    kind: str = ""
    weights: Path | None = None
    device: str = ""


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """One row of the registry. ``kinds`` names the embeddings, the default one first.

    ``checkpoint`` tells, without loading a library, the checkpoint that ``load`` would take
    with the same options; "" when only loading can tell.
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

    def layer(self, kind: str) -> str:
        """The name under which vectors of this kind are stored ("" is the default kind)."""
        return kind or self.kinds[0]
