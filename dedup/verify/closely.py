"""Two pictures that seem the same, compared in nearly full size: whether any small place tells another story.

A digit in an invoice, a name in a form or a clock's hands vanish in the small looks; whoever deletes one of the two
loses it. Whole frames only: both are brought to the smaller one's size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from dedup.verify.comparing import BLOCK, grey, means, strongest
from dedup.verify.look import Array

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 8_000_000  # of what is compared
SOFTENED = 1.0  # sigma of the Gaussian that takes away what resampling and compression change
# Of 255, in the channel that differs most: what re-saving and resizing leave below, even around letters.
STRONG, TIMES_USUAL = 40.0, 8.0
FEWEST_STRONG = 5  # pixels of a block
UNCHANGED = 0.93  # correlation of a block from which strong differences are those of another sharpness
CLEARLY_NEARER = 0.8  # times the mean difference, for tones to be fitted: a fit may bend what is rare
# A block as a whole brighter or darker: of 255, and against how far blocks usually are.
SHIFTED, TIMES_USUAL_SHIFT = 4.0, 8.0
FEWEST_SHIFTED = 3  # blocks that touch each other


def places_that_differ(first: Image, second: Image) -> Array:
    """(rows, columns) bool: the blocks of 16 x 16 pixels in which two upright RGB pictures show different things."""
    size = _common_size(first, second)
    one, two = (cv2.GaussianBlur(_resized(image, size), (0, 0), SOFTENED) for image in (first, second))
    two = _toned(two, one)
    apart = strongest(cv2.absdiff(one, two))
    usual = float(np.median(apart[::4, ::4]))
    strong = (apart > max(STRONG, TIMES_USUAL * usual)).astype(np.float32)
    a, b = grey(one.astype(np.float32)), grey(two.astype(np.float32))
    many = means(strong) * BLOCK * BLOCK >= FEWEST_STRONG
    return np.asarray((many & (_correlation(a, b) < UNCHANGED)) | _shifted(a, b))


def _common_size(first: Image, second: Image) -> tuple[int, int]:
    smaller = min(first.size, second.size, key=lambda size: size[0] * size[1])
    factor = min(1.0, (MOST_PIXELS / (smaller[0] * smaller[1])) ** 0.5)
    return max(BLOCK, round(smaller[0] * factor)), max(BLOCK, round(smaller[1] * factor))


def _resized(image: Image, size: tuple[int, int]) -> Array:
    pixels = np.asarray(image.convert("RGB"))
    return pixels if image.size == size else np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))


def _toned(source: Array, target: Array) -> Array:
    """The source, its levels moved to those that the target usually has there where that is clearly nearer."""
    table = np.empty((256, 1, 3), np.uint8)
    levels = np.arange(256)
    for channel in range(3):
        x, y = (part[::3, ::3, channel].ravel() for part in (source, target))
        count = np.bincount(x, minlength=256)
        total = np.bincount(x, y.astype(np.float64), minlength=256)
        known = count >= max(1, min(20, int(count.max())))
        moved = np.interp(levels, levels[known], total[known] / count[known] - levels[known])
        table[:, 0, channel] = np.clip(levels + moved, 0, 255).round()
    toned = cv2.LUT(source, table)
    as_is, after = (float(cv2.absdiff(one, target).mean()) for one in (source, toned))
    return np.asarray(toned) if after < CLEARLY_NEARER * as_is - 0.5 else source


def _correlation(a: Array, b: Array) -> Array:
    ma, mb = means(a), means(b)
    va, vb = np.maximum(means(a * a) - ma * ma, 0), np.maximum(means(b * b) - mb * mb, 0)
    return np.asarray((means(a * b) - ma * mb) / np.sqrt((va + 1.0) * (vb + 1.0)))


def _shifted(a: Array, b: Array) -> Array:
    """Where several blocks beside each other are brighter, or darker, than the others lead to expect."""
    shift = means(a) - means(b)
    limit = max(SHIFTED, TIMES_USUAL_SHIFT * float(np.median(np.abs(shift)))) if shift.size else 0.0
    found = np.zeros(shift.shape, dtype=bool)
    for sign in (1, -1):
        above: Any = (sign * shift > limit).astype(np.uint8)
        count, labels, statistics, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
        for label in range(1, count):
            if statistics[label, cv2.CC_STAT_AREA] >= FEWEST_SHIFTED:
                found |= labels == label
    return found
