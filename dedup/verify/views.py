"""Two looks in one frame and in one scale of tones under an alignment, and how the alignment is made finer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from dedup.verify.alignment import Alignment
from dedup.verify.comparing import (
    BLOCK,
    TEXTURED,
    Blocks,
    Frame,
    blocks_of,
    covers,
    fitted_tones,
    in_one_frame,
    levelled,
    resizing,
)
from dedup.verify.look import Array, Look

AGREES = 0.85
MID = 2  # reduction of the frame in which pictures are compared that lost their finest detail
LEAST_COVERED = 0.5  # share of the one picture in the other from which they are compared at all
NEAR_FINE, NEAR_MID = 0.5, 0.7  # typical correlations from which a finer alignment may make a pair agree


@dataclass(frozen=True, slots=True)
class Grain:
    """How far the blocks of two pictures agree at one level of detail.

    ``textured`` of the blocks show something; of these the share ``agree`` correlates above 0.85, ``typical`` is the
    median correlation. ``residual``: the median over all blocks, of 255.
    """

    textured: int
    agree: float
    typical: float
    residual: float


@dataclass(frozen=True, slots=True)
class View:
    """Two looks in one frame and in one scale of tones, compared block by block: enough to tell what is hopeless."""

    alignment: Alignment
    frame: Frame
    still: Array
    warped: Array
    blocks: Blocks
    fine: Grain
    mid: Grain

    @property
    def is_promising(self) -> bool:
        """Whether any rule of judgement could still admit the pair: most blocks agree, or some agree exactly."""
        if self.fine.agree >= 0.8 or self.mid.agree >= 0.75:
            return True
        textured = self.blocks.inside & (np.maximum(self.blocks.still, self.blocks.warped) > TEXTURED)
        return float((self.blocks.correlation[textured] > 0.98).mean()) >= 0.15 if textured.any() else False

    @property
    def is_near(self) -> bool:
        """Whether the two may agree under a slightly different alignment."""
        return self.fine.typical > NEAR_FINE or self.mid.typical > NEAR_MID


def view_under(first: Look, second: Look, alignment: Alignment, *, level: bool = False) -> View | None:
    """Two looks under an alignment, with ``level`` without slow differences of brightness.

    None where they have too little in common.
    """
    share = covers(first, second, alignment.matrix)
    if max(share) < LEAST_COVERED:
        return None
    frame = in_one_frame(first, second, alignment, share)
    if frame.mask.sum() < 16 * BLOCK * BLOCK:
        return None
    still, warped = fitted_tones(frame.still, frame.warped, frame.mask)
    if level:
        warped = levelled(still, warped, frame.mask)
    blocks = blocks_of(still, warped, frame.mask)
    if not blocks.inside.any():
        return None
    mid = grain_of(blocks_of(still, warped, frame.mask, MID))
    return View(alignment, frame, still, warped, blocks, grain_of(blocks), mid)


def grain_of(blocks: Blocks) -> Grain:
    """How far these blocks agree."""
    if not blocks.inside.any():
        return Grain(0, 0.0, 0.0, 255.0)
    textured = blocks.inside & (np.maximum(blocks.still, blocks.warped) > TEXTURED)
    residual = float(np.median(blocks.residual[blocks.inside]))
    seen = blocks.correlation[textured]
    if not len(seen):
        return Grain(0, 0.0, 0.0, residual)
    return Grain(len(seen), float((seen > AGREES).mean()), float(np.median(seen)), residual)


def refined(first: Look, second: Look, view: View) -> View | None:
    """The same after the alignment was made finer by maximising the correlation (ECC: Evangelidis, Psarakis 2008).

    None where that does not lead anywhere better.
    """
    frame, still, warped = view.frame, view.still, view.warped
    reduction = 2 if max(frame.mask.shape) > 240 else 1
    size = frame.mask.shape[1] // reduction, frame.mask.shape[0] // reduction
    small = [cv2.resize(cv2.GaussianBlur(one, (0, 0), reduction), size) for one in (still, warped)]
    mask = cv2.resize(frame.mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    start = np.eye(3, dtype=np.float32)
    stop = cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 12, 1e-4
    try:
        _, step = cv2.findTransformECC(small[0], small[1], start, cv2.MOTION_HOMOGRAPHY, stop, mask, 3)
    except cv2.error:  # it does not converge on pictures that are not alike
        return None
    shrink = resizing((frame.mask.shape[1], frame.mask.shape[0]), size)
    within = np.linalg.inv(shrink) @ step.astype(np.float64) @ shrink
    look = first if frame.is_first else second
    to_look = resizing((frame.mask.shape[1], frame.mask.shape[0]), (look.pixels.shape[1], look.pixels.shape[0]))
    matrix = frame.matrix @ within @ np.linalg.inv(to_look)
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-6:
        return None
    whole: Array = matrix if frame.is_first else np.linalg.inv(matrix)
    better = view_under(first, second, replace(view.alignment, matrix=whole / whole[2, 2]))
    return better if better is not None and better.fine.typical > view.fine.typical else None
