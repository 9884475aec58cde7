"""PDQ, Meta's 256-bit fingerprint, in eight orientations.

After the published description ("PDQ & TMK + PDQF", Facebook 2019), checked bit by bit against the
library pdqhash, which has no ready-made package for Linux and would need a compiler there. The picture
is brought to 64 x 64 by an antialiased resize, so that PDQ's own smoothing does not come in: a smaller
copy, a mirrored or a turned one then gets nearly the same bits. Hashes that other programs took at full
size differ in about 20 of the 256.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from dedup.encoders.fingerprints import FingerprintEncoder, SeesThePicture, orientations
from dedup.encoders.interface import Encoder, LoadOptions, Uint8Array
from dedup.encoders.preprocess import Squash
from dedup.provenance import BITS_TURNED, Provenance

if TYPE_CHECKING:
    from PIL.Image import Image

Plane = np.ndarray[Any, np.dtype[np.float32]]

NAME = "pdq"
BITS_PER_VIEW = 256
PREPROCESSING = 1
SAMPLES = 64
FREQUENCIES = 16
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
# From 0 to 100. Meta advises against comparing hashes below this.
LOWEST_QUALITY = 50


@dataclass(frozen=True)
class Pdq(SeesThePicture):
    """The 256 bits in each of eight orientations, and in a last column the picture's quality."""

    size: int = SAMPLES

    def __call__(self, image: Image) -> Uint8Array:
        """(8, 257) uint8: zeros and ones, then the quality from 0 to 100."""
        plane = brightness(Squash(self.size)(image))
        bits = np.stack([hash_bits(view) for view in orientations(plane)])
        return np.pad(bits, ((0, 0), (0, 1)), constant_values=quality(plane))

    def contrast(self, image: Image, prepared: Uint8Array) -> float:
        """0 for a picture too poor in gradients to be hashed with any meaning."""
        return super().contrast(image, prepared) if prepared[0, -1] >= LOWEST_QUALITY else 0.0


class PdqEncoder(FingerprintEncoder):
    """Hands over the bits without the quality."""

    def encode(self, batch: Any) -> Any:
        """(n, 8, 257) uint8 -> (n, 8 * 256) float32 of +-1."""
        return super().encode(batch[:, :, :BITS_PER_VIEW])


def load(options: LoadOptions) -> Encoder:
    """There is nothing to load."""
    provenance = Provenance(NAME, checkpoint(options), "final", PREPROCESSING, BITS_PER_VIEW, BITS_TURNED)
    return PdqEncoder(provenance, Pdq())


def available() -> bool:
    """Always: numpy is enough."""
    return True


def checkpoint(options: LoadOptions) -> str:
    """It has no parameters."""
    return "none"


def brightness(pixels: Uint8Array) -> Plane:
    """(3, 64, 64) uint8 -> (64, 64) from 0 to 255."""
    return np.tensordot(LUMA, pixels.astype(np.float32), axes=1)


def hash_bits(plane: Plane) -> Uint8Array:
    """(64, 64) brightness -> (256,) zeros and ones: which of the low frequencies lie above their median."""
    basis = _cosines()
    frequencies = basis @ plane @ basis.T
    # The lower of the two middle values, as in the reference.
    median = np.partition(frequencies, BITS_PER_VIEW // 2 - 1, axis=None)[BITS_PER_VIEW // 2 - 1]
    bits: Uint8Array = (frequencies > median).astype(np.uint8).ravel()
    return bits


def quality(plane: Plane) -> int:
    """From 0 (flat) to 100: how many steep steps there are between neighbouring samples."""
    steps = sum(np.abs(np.trunc(np.diff(plane, axis=axis) * 100 / 255)).sum() for axis in (0, 1))
    return min(100, int(steps / 90))


@cache
def _cosines() -> Plane:
    """(16, 64): the discrete cosine transform's rows 1 to 16."""
    frequency = np.arange(1, FREQUENCIES + 1)[:, None]
    sample = 2 * np.arange(SAMPLES)[None, :] + 1
    basis: Plane = np.sqrt(2 / SAMPLES) * np.cos(np.pi / (2 * SAMPLES) * frequency * sample)
    return basis.astype(np.float32)
