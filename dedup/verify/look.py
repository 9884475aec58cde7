"""What the verifier sees of a picture: a small copy of it and its local features, computed once.

The features are RootSIFT (Arandjelovic and Zisserman, 2012): SIFT descriptors whose square roots are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import local
from typing import Any

import cv2
import numpy as np
from PIL import Image

Array = np.ndarray[Any, np.dtype[Any]]

# Workers are forked from a process that may have used OpenCV: threads of its own would leave them a lock nobody opens.
cv2.setNumThreads(1)

# About 384 x 288 pixels, whatever the shape; no side longer than LONGEST.
AREA = 384 * 288
LONGEST = 768
MOST_FEATURES = 400
TINY = 32  # side of the square grey copy that whole frames are compared by


@dataclass(frozen=True, slots=True)
class Look:
    """A picture reduced to what verification needs.

    ``pixels``: (h, w, 3) uint8 RGB, upright. ``points``: (n, 2) float32, x and y in ``pixels``.
    ``descriptors``: (n, 128) uint8. ``tiny``: (32, 32) float32, grey, zero mean and unit length; all zero where
    the picture is of one colour. ``width`` and ``height``: of the file, in pixels.
    """

    pixels: Array
    points: Array
    descriptors: Array
    tiny: Array
    width: int
    height: int

    @property
    def nbytes(self) -> int:
        """The memory it takes."""
        return self.pixels.nbytes + self.points.nbytes + self.descriptors.nbytes + self.tiny.nbytes


def look_at(image: Image.Image, width: int, height: int) -> Look:
    """The look of an upright RGB picture whose file is ``width`` x ``height``."""
    pixels = _reduced(image)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    points, descriptors = _features(grey)
    return Look(pixels, points, descriptors, _tiny(grey), width, height)


def rooted(descriptors: Array) -> Array:
    """(n, 128) float32 unit rows of stored descriptors."""
    return descriptors.astype(np.float32) / np.float32(255.0)


def size_for(width: int, height: int) -> tuple[int, int]:
    """The size of the copy that is looked at: never larger than the picture."""
    factor = min(1.0, (AREA / (width * height)) ** 0.5, LONGEST / max(width, height))
    return max(1, round(width * factor)), max(1, round(height * factor))


def _reduced(image: Image.Image) -> Array:
    size = size_for(*image.size)
    small = image if image.size == size else image.resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    return np.asarray(small.convert("RGB"))


def _features(grey: Array) -> tuple[Array, Array]:
    found, descriptors = _SIFT.detector.detectAndCompute(grey, None)
    if descriptors is None or not len(found):
        return np.empty((0, 2), np.float32), np.empty((0, 128), np.uint8)
    points = np.array([one.pt for one in found], np.float32)
    total = descriptors.sum(axis=1, keepdims=True)
    rows = np.sqrt(descriptors / np.maximum(total, 1e-9))
    return points[:MOST_FEATURES], np.round(rows[:MOST_FEATURES] * 255.0).astype(np.uint8)


class _Sift(local):
    """One detector for each thread."""

    def __init__(self) -> None:
        create: Any = cv2.SIFT.create
        self.detector = create(nfeatures=MOST_FEATURES, contrastThreshold=0.015, edgeThreshold=12)


_SIFT = _Sift()


def _tiny(grey: Array) -> Array:
    small = cv2.resize(grey, (TINY, TINY), interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= small.mean()
    length = float(np.linalg.norm(small))
    return small / length if length > TINY else np.zeros_like(small)
