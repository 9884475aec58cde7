"""What comparing two aligned pictures has shown, as the numbers that judgement goes by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from dedup.verify.alignment import Alignment
from dedup.verify.comparing import (
    BLOCK,
    SIGMA,
    TEXTURED,
    Blocks,
    Colours,
    Frame,
    blocks_of,
    colours_of,
    correlation,
    grey,
    means,
)
from dedup.verify.differences import Overlay, overlay_of
from dedup.verify.look import Array
from dedup.verify.views import Grain, View, grain_of

DISAGREES, UNCHANGED = 0.6, 0.92
PATCH = 15.0  # of 255, in a block: a difference of colours that is more than a fringe
COARSE, BLURRED = 4, 0.3  # reduction for pictures that lost nearly all detail, and the blur from which it is looked at
UNTOUCHED = 0.995  # share of the common area without any strong difference
# Drawings: areas that vary by less than EVEN (of 255), their least share, and that of the six commonest colours.
EVEN, DRAWN_EVEN, DRAWN_COLOURS = 0.7, 0.33, 0.55
HARDLY_DRAWN = 0.25  # below this nothing depends on how much


@dataclass(frozen=True, slots=True)
class _Detail:
    """The correlation of the finest detail, its energy in both, its correlation in blocks that show nothing else."""

    correlation: float
    energy: tuple[float, float]
    noise: float


@dataclass(frozen=True)
class Evidence:
    """Everything judged of one pair under one alignment; what takes time is found out when it is asked for.

    ``areas``: the pixels of both looks.
    """

    view: View
    areas: tuple[int, int]

    @property
    def alignment(self) -> Alignment:
        """Where the one lies in the other."""
        return self.view.alignment

    @property
    def frame(self) -> Frame:
        """Both in one frame."""
        return self.view.frame

    @property
    def covers(self) -> tuple[float, float]:
        """The shares of the first and the second picture that lie in the other."""
        return self.view.frame.covers

    @property
    def fine(self) -> Grain:
        """How far the blocks of the frame agree."""
        return self.view.fine

    @property
    def mid(self) -> Grain:
        """The same at half the size."""
        return self.view.mid

    @cached_property
    def coarse(self) -> Grain:
        """The same at a quarter of the size, where one of the two is blurred; else ``mid``."""
        if self.blur >= BLURRED:
            return self.mid
        return grain_of(blocks_of(self.view.still, self.view.warped, self.frame.mask, COARSE))

    @cached_property
    def blocks(self) -> int:
        """How many blocks lie in both."""
        return int(self.view.blocks.inside.sum())

    @cached_property
    def marked(self) -> float:
        """The share of blocks that tell another story."""
        return float(marked_blocks(self.view.blocks).sum()) / self.blocks

    @cached_property
    def _finest(self) -> _Detail:
        return _detail(self.view)

    @cached_property
    def detail(self) -> float:
        """The correlation of the finest detail."""
        # The curve that fits the tones may bend what a straight line leaves as it is.
        plain = self._finest.correlation
        return max(plain, self.overlay.detail) if self.overlay.rest >= UNTOUCHED else plain

    @property
    def sharpness(self) -> tuple[float, float]:
        """The energy of the finest detail in the first and in the second picture."""
        energy = self._finest.energy
        return energy if self.frame.is_first else energy[::-1]

    @property
    def blur(self) -> float:
        """The energy of the finest detail of the poorer picture against that of the richer, 0 to 1."""
        return min(self.sharpness) / (max(self.sharpness) + 1e-6)

    @property
    def noise(self) -> float:
        """The correlation of the finest detail where nothing else is."""
        return self._finest.noise

    @cached_property
    def graphic(self) -> float:
        """How much of a drawing the less drawn of the two is: from 1 few colours fill most of it, without any grain."""
        still = _drawn(self.frame.still, self.frame.mask)
        return still if still < HARDLY_DRAWN else min(still, _drawn(self.frame.warped, self.frame.mask))

    @cached_property
    def overlay(self) -> Overlay:
        """What lies on one of the two and not on the other."""
        return overlay_of(self.frame)

    @cached_property
    def _colours(self) -> Colours:
        return colours_of(self.frame)

    @cached_property
    def changed(self) -> int:
        """How many blocks hold a strong difference and do not correlate well."""
        return _changed(self.view.blocks, self.overlay.mask, self._colours)

    @property
    def gain(self) -> tuple[float, float, float]:
        """By how much each channel of the one was stretched to fit the other."""
        gain = self._colours.gain
        return float(gain[0]), float(gain[1]), float(gain[2])

    @property
    def saturation(self) -> tuple[float, float]:
        """The saturation of the first and of the second picture."""
        return self._colours.saturation if self.frame.is_first else self._colours.saturation[::-1]

    @cached_property
    def recoloured(self) -> float:
        """The colour difference of the worst block, of 255."""
        return float(self._colours.blocks[self.view.blocks.inside].max())

    @cached_property
    def tinted(self) -> float:
        """The usual colour difference of a block, of 255."""
        return float(np.median(self._colours.blocks[self.view.blocks.inside]))


def marked_blocks(blocks: Blocks) -> Array:
    """(rows, columns) bool: the blocks that tell a different story than the others."""
    usual = float(np.median(blocks.residual[blocks.inside]))
    textured = np.maximum(blocks.still, blocks.warped) > TEXTURED
    other_shape = textured & (blocks.correlation < DISAGREES) & (blocks.residual > max(8.0, 4 * usual))
    other_level = ~textured & (blocks.residual > max(25.0, 6 * usual))
    return np.asarray(blocks.inside & (other_shape | other_level))


def _changed(blocks: Blocks, strong: Array, colours: Colours) -> int:
    # Where nothing is to be seen but a difference of colours, JPEG's coarser colours explain a fringe, not a patch.
    seen = (np.maximum(blocks.still, blocks.warped) > TEXTURED) | (colours.blocks > PATCH)
    count = means(strong.astype(np.float32)) * BLOCK * BLOCK
    return int((blocks.inside & seen & (count > 3.5) & (blocks.correlation < UNCHANGED)).sum())


def _detail(view: View) -> _Detail:
    a, b = (one - cv2.GaussianBlur(one, (0, 0), SIGMA) for one in (view.still, view.warped))
    alike, energy = correlation(a, b, view.frame.mask)
    blocks = view.blocks
    empty = blocks.inside & (np.maximum(blocks.still, blocks.warped) <= TEXTURED - 1)
    if empty.sum() <= 3:
        return _Detail(alike, energy, 1.0)
    own, other, both = (float(means(product)[empty].sum()) for product in (a * a, b * b, a * b))
    return _Detail(alike, energy, both / float(np.sqrt(own * other) + 1e-6))


def _drawn(picture: Array, mask: Array) -> float:
    picture, mask = picture[::2, ::2], mask[::2, ::2]
    if not mask.any():
        return 0.0
    shade = grey(np.ascontiguousarray(picture))
    step = np.abs(cv2.Laplacian(shade, cv2.CV_32F)) + np.abs(cv2.Sobel(shade, cv2.CV_32F, 1, 0)) / 4
    step += np.abs(cv2.Sobel(shade, cv2.CV_32F, 0, 1)) / 4
    even = float((step[mask] < EVEN).mean()) / DRAWN_EVEN
    if even < HARDLY_DRAWN:
        return even
    red, green, blue = (np.clip(picture[mask], 0, 255).astype(np.int64) // 16).T
    count = np.sort(np.bincount(256 * red + 16 * green + blue, minlength=4096))
    return min(even, float(count[-6:].sum()) / len(red) / DRAWN_COLOURS)
