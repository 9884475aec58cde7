"""The perceptual hashes of the library imagehash, as fingerprints of +-1.

The square ones are taken of the picture in its eight orientations, so that turned and
mirrored copies match. Everything happens in the decode workers; there is nothing to load.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from dedup.encoders.interface import Encoder, Float32Rows, LoadOptions, Prepare, Uint8Array, no_text
from dedup.encoders.parameters import Parameter, complete, written
from dedup.encoders.preprocess import Squash, spread
from dedup.encoders.views import TO_BITS, bits_of_views, orientations
from dedup.errors import WeightsUnavailable
from dedup.provenance import BITS, BITS_TURNED, Provenance

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

PREPROCESSING = 2
# What a fingerprint is taken from; every algorithm reduces it further.
SIDE = 64
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
# From 0 to 100. Meta advises against comparing PDQ's hashes below this; the others are no better there.
LOWEST_QUALITY = 50
FloatPlane = np.ndarray[Any, np.dtype[np.float32]]

HASH_SIZE = Parameter("hash_size", 8, 2, 32, "bits along each side")
HASH_SIZE_WAVELET = Parameter("hash_size", 8, 4, 32, "numbers along each side, a power of two", power_of_two=True)
HIGHFREQ = Parameter("highfreq_factor", 4, 1, 16, "how many times finer the picture is than the hash")
BINBITS = Parameter("binbits", 3, 1, 8, "bits for each of the 14 colour bins")


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One hash of the library: its function, fixed arguments, and whether turned pictures get other bits."""

    name: str
    function: str
    parameters: tuple[Parameter, ...]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    turns: bool = True

    def __call__(self, image: Image, values: Mapping[str, int]) -> Uint8Array:
        """(bits,) zeros and ones."""
        import imagehash

        found: Uint8Array = getattr(imagehash, self.function)(image, **values, **self.fixed).hash
        return found.astype(np.uint8).ravel()


ALGORITHMS: Mapping[str, Algorithm] = {
    one.name: one
    for one in (
        Algorithm("ahash", "average_hash", (HASH_SIZE,)),
        Algorithm("phash", "phash", (HASH_SIZE, HIGHFREQ)),
        Algorithm("phash-simple", "phash_simple", (HASH_SIZE, HIGHFREQ)),
        Algorithm("dhash", "dhash", (HASH_SIZE,)),
        Algorithm("dhash-vert", "dhash_vertical", (HASH_SIZE,)),
        Algorithm("whash-haar", "whash", (HASH_SIZE_WAVELET,), {"mode": "haar"}),
        Algorithm("whash-db4", "whash", (HASH_SIZE_WAVELET,), {"mode": "db4"}),
        Algorithm("colorhash", "colorhash", (BINBITS,), turns=False),
    )
}


class SeesThePicture:
    """Contrast for fingerprints, whose input is no picture any more: of the small copy of it."""

    def contrast(self, seen: Uint8Array, prepared: Uint8Array) -> float:
        """0 for a picture too poor in steps to be hashed with any meaning, such as an even sky."""
        return spread(seen) if quality(brightness(seen)) >= LOWEST_QUALITY else 0.0


@dataclass(frozen=True)
class Fingerprint(SeesThePicture):
    """The bits of one algorithm, in eight orientations where turning the picture changes them."""

    algorithm: str
    values: tuple[tuple[str, int], ...]

    @property
    def size(self) -> int:
        """The side of the square the picture is brought to first."""
        values = dict(self.values)
        return max(SIDE, values.get("hash_size", 0) * values.get("highfreq_factor", 4))

    def __call__(self, image: Image) -> Uint8Array:
        """(views, bits) uint8, zeros and ones."""
        from PIL import Image as Pillow

        algorithm = ALGORITHMS[self.algorithm]
        pixels = Squash(self.size)(image).transpose(1, 2, 0)
        values = dict(self.values)
        if self.algorithm in TO_BITS:
            square = Pillow.fromarray(np.ascontiguousarray(pixels)).convert("L")
            return bits_of_views(self.algorithm, square, values)
        views = orientations(pixels) if algorithm.turns else [pixels]
        return np.stack([algorithm(Pillow.fromarray(np.ascontiguousarray(view)), values) for view in views])


class FingerprintEncoder:
    """Hands over what the workers computed, as +-1."""

    device = "cpu"

    def __init__(self, provenance: Provenance, prepare: Prepare) -> None:
        self.provenances = (provenance,)
        self.prepare = prepare

    def encode(self, batch: Tensor) -> Float32Rows:
        """(n, views, bits) uint8 zeros and ones -> (n, views * bits) float32 of +-1."""
        signs: Float32Rows = batch.numpy().reshape(len(batch), -1).astype(np.float32) * 2 - 1
        return signs

    def encode_text(self, texts: Sequence[str]) -> Float32Rows:
        """Raises DedupError: a fingerprint knows no words."""
        raise no_text(self.provenances[0].encoder)


def brightness(pixels: Uint8Array) -> FloatPlane:
    """(3, h, w) uint8 -> (h, w) from 0 to 255."""
    return np.tensordot(LUMA, pixels.astype(np.float32), axes=1)


def quality(plane: FloatPlane) -> int:
    """From 0 (flat) to 100: how many steep steps there are between neighbouring samples (after PDQ)."""
    steps = sum(np.abs(np.trunc(np.diff(plane, axis=axis) * 100 / 255)).sum() for axis in (0, 1))
    return min(100, int(steps / 90))


def available() -> bool:
    """Whether the library is installed."""
    return find_spec("imagehash") is not None


def load(name: str, options: LoadOptions) -> Encoder:
    """The fingerprint with its parameters; raises WeightsUnavailable when imagehash is not installed."""
    if not available():
        raise WeightsUnavailable(f"{name} needs the package imagehash.", "Run: pip install -r requirements.txt")
    from PIL import Image as Pillow

    algorithm = ALGORITHMS[name]
    values = complete(options.parameters, algorithm.parameters)
    prepare = Fingerprint(name, tuple(values.items()))
    # Not by ``prepare``, which would load PyTorch: where a database knows all pictures, nothing needs it.
    bits = len(algorithm(Pillow.new("RGB", (prepare.size, prepare.size)), values))
    dtype = BITS_TURNED if algorithm.turns else BITS
    return FingerprintEncoder(Provenance(name, written(values), "final", PREPROCESSING, bits, dtype), prepare)


def checkpoint(name: str, options: LoadOptions) -> str:
    """The parameters in one line: a set made with others is another set."""
    return written(complete(options.parameters, ALGORITHMS[name].parameters))


def loader(name: str) -> Callable[[LoadOptions], Encoder]:
    """``load`` for one algorithm, as the registry wants it."""
    return partial(load, name)
