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
from typing import TYPE_CHECKING

import numpy as np

from dedup.encoders.fingerprints import FingerprintEncoder, FloatPlane, SeesThePicture, brightness
from dedup.encoders.interface import Encoder, LoadOptions, Uint8Array
from dedup.encoders.preprocess import SEEN_SIDE, Squash
from dedup.encoders.views import orientations
from dedup.provenance import BITS_TURNED, Provenance

if TYPE_CHECKING:
    from PIL.Image import Image

NAME = "pdq"
BITS_PER_VIEW = 256
PREPROCESSING = 1
SAMPLES = SEEN_SIDE
FREQUENCIES = 16


@dataclass(frozen=True)
class Pdq(SeesThePicture):
    """The 256 bits in each of eight orientations."""

    size: int = SAMPLES

    def __call__(self, image: Image) -> Uint8Array:
        """(8, 256) uint8, zeros and ones."""
        plane = brightness(Squash(self.size)(image))
        return np.stack([hash_bits(view) for view in orientations(plane)])


def frame_bits(seen: Uint8Array) -> bytes:
    """The 256 bits of a picture's whole frame as it stands, of (3, 64, 64) uint8, packed into 32 bytes."""
    return np.packbits(hash_bits(brightness(seen))).tobytes()


def load(options: LoadOptions) -> Encoder:
    """There is nothing to load."""
    provenance = Provenance(NAME, checkpoint(options), "final", PREPROCESSING, BITS_PER_VIEW, BITS_TURNED)
    return FingerprintEncoder(provenance, Pdq())


def available() -> bool:
    """Always: numpy is enough."""
    return True


def checkpoint(options: LoadOptions) -> str:
    """It has no parameters."""
    return "none"


def hash_bits(plane: FloatPlane) -> Uint8Array:
    """(64, 64) brightness -> (256,) zeros and ones: which of the low frequencies lie above their median."""
    basis = _cosines()
    frequencies = basis @ plane @ basis.T
    # The lower of the two middle values, as in the reference.
    median = np.partition(frequencies, BITS_PER_VIEW // 2 - 1, axis=None)[BITS_PER_VIEW // 2 - 1]
    bits: Uint8Array = (frequencies > median).astype(np.uint8).ravel()
    return bits


@cache
def _cosines() -> FloatPlane:
    """(16, 64): the discrete cosine transform's rows 1 to 16."""
    frequency = np.arange(1, FREQUENCIES + 1)[:, None]
    sample = 2 * np.arange(SAMPLES)[None, :] + 1
    basis: FloatPlane = np.sqrt(2 / SAMPLES) * np.cos(np.pi / (2 * SAMPLES) * frequency * sample)
    return basis.astype(np.float32)
