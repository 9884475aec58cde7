"""What comparing two aligned pictures has shown, as the numbers that judgement goes by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

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
    covers,
    fitted_tones,
    grey,
    in_one_frame,
    levelled,
    means,
    resizing,
)
from dedup.verify.differences import Overlay, overlay_of
from dedup.verify.look import Array, Look

AGREES, DISAGREES, UNCHANGED = 0.85, 0.6, 0.92
PATCH = 15.0  # of 255, in a block: a difference of colours that is more than a fringe
# Reductions of the frame for pictures that lost their detail, and the blur from which the coarser one is looked at.
MID, COARSE, BLURRED = 2, 4, 0.3
UNTOUCHED = 0.995  # share of the common area without any strong difference
LEAST_COVERED = 0.5  # share of the one picture in the other from which they are compared at all
# Drawings: areas that vary by less than EVEN (of 255), their least share, and that of the six commonest colours.
EVEN, DRAWN_EVEN, DRAWN_COLOURS = 0.7, 0.33, 0.55


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
class Evidence:
    """Everything judged of one pair under one alignment.

    ``covers``: the shares of the first and the second picture that lie in the other. ``marked``: the share of blocks
    that tell another story. ``detail``: the correlation of the finest detail; ``sharpness`` the energy of that detail
    in the first and the second picture. ``noise``: the correlation of the finest detail where nothing else is.
    ``graphic``: about 1 and more in drawings and screens. ``changed``: how many blocks hold a strong difference and
    do not correlate well. ``gain`` per channel, ``saturation`` of first and second, ``recoloured`` the
    worst block's colour difference, ``tinted`` the usual one. ``areas``: the pixels of both looks.
    """

    alignment: Alignment
    covers: tuple[float, float]
    blocks: int
    fine: Grain
    mid: Grain
    coarse: Grain
    marked: float
    detail: float
    sharpness: tuple[float, float]
    noise: float
    graphic: float
    overlay: Overlay
    changed: int
    gain: tuple[float, float, float]
    saturation: tuple[float, float]
    recoloured: float
    tinted: float
    frame: Frame
    areas: tuple[int, int]

    @property
    def blur(self) -> float:
        """The energy of the finest detail of the poorer picture against that of the richer, 0 to 1."""
        return min(self.sharpness) / (max(self.sharpness) + 1e-6)


@dataclass(frozen=True, slots=True)
class _View:
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


def versions(first: Look, second: Look, alignment: Alignment) -> Iterator[Evidence]:
    """What comparing two looks under an alignment shows; then, where that may help, under a finer alignment and with
    slow changes of brightness taken away. Nothing where there is no hope.
    """
    view = _view(first, second, alignment)
    if view is None:
        return
    found = _evidence(first, second, view) if view.is_promising else None
    if found is not None:
        yield found
    if view.fine.typical > 0.5 or view.mid.typical > 0.7:
        better = _refined(first, second, view)
        if better is not None and better.fine.typical > view.fine.typical and better.is_promising:
            view, found = better, _evidence(first, second, better)
            yield found
    if found is not None and view.fine.agree < 0.97 and view.mid.agree > 0.6 and found.detail > 0.8:
        even = _view(first, second, view.alignment, level=True)
        if even is not None and even.fine.agree > view.fine.agree:
            yield _evidence(first, second, even)


def _view(first: Look, second: Look, alignment: Alignment, *, level: bool = False) -> _View | None:
    if max(covers(first, second, alignment.matrix)) < LEAST_COVERED:
        return None
    frame = in_one_frame(first, second, alignment)
    if frame.mask.sum() < 16 * BLOCK * BLOCK:
        return None
    still, warped = fitted_tones(frame.still, frame.warped, frame.mask)
    if level:
        warped = levelled(still, warped, frame.mask)
    blocks = blocks_of(still, warped, frame.mask)
    if not blocks.inside.any():
        return None
    return _View(
        alignment, frame, still, warped, blocks, _grain(blocks), _grain(blocks_of(still, warped, frame.mask, MID))
    )


def _evidence(first: Look, second: Look, view: _View) -> Evidence:
    frame, still, warped, blocks = view.frame, view.still, view.warped, view.blocks
    inside = int(blocks.inside.sum())
    colours = colours_of(frame)
    overlay = overlay_of(frame)
    detail, sharpness, noise = _detail(still, warped, frame, blocks)
    if overlay.rest >= UNTOUCHED:
        # The curve that fits the tones may bend what a straight line leaves as it is.
        detail = max(detail, overlay.detail)
    is_blurred = min(sharpness) < BLURRED * max(sharpness)
    coarse = _grain(blocks_of(still, warped, frame.mask, COARSE)) if is_blurred else view.mid
    saturation = colours.saturation if frame.is_first else colours.saturation[::-1]
    return Evidence(
        view.alignment,
        frame.covers,
        inside,
        view.fine,
        view.mid,
        coarse,
        float(marked_blocks(blocks).sum()) / inside,
        detail,
        sharpness if frame.is_first else sharpness[::-1],
        noise,
        _graphic(frame),
        overlay,
        _changed(blocks, overlay.mask, colours),
        (float(colours.gain[0]), float(colours.gain[1]), float(colours.gain[2])),
        saturation,
        float(colours.blocks[blocks.inside].max()),
        float(np.median(colours.blocks[blocks.inside])),
        frame,
        (first.pixels[..., 0].size, second.pixels[..., 0].size),
    )


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


def _grain(blocks: Blocks) -> Grain:
    if not blocks.inside.any():
        return Grain(0, 0.0, 0.0, 255.0)
    textured = blocks.inside & (np.maximum(blocks.still, blocks.warped) > TEXTURED)
    residual = float(np.median(blocks.residual[blocks.inside]))
    seen = blocks.correlation[textured]
    if not len(seen):
        return Grain(0, 0.0, 0.0, residual)
    return Grain(len(seen), float((seen > AGREES).mean()), float(np.median(seen)), residual)


def _detail(still: Array, warped: Array, frame: Frame, blocks: Blocks) -> tuple[float, tuple[float, float], float]:
    """(correlation of the finest detail, its energy in both, its correlation in blocks that show nothing else)."""
    a, b = (one - cv2.GaussianBlur(one, (0, 0), SIGMA) for one in (still, warped))
    x, y = a[frame.mask], b[frame.mask]
    energy = float(x.std()), float(y.std())
    detail = float((x * y).mean()) / (energy[0] * energy[1] + 1e-6)
    empty = blocks.inside & (np.maximum(blocks.still, blocks.warped) <= TEXTURED - 1)
    if empty.sum() <= 3:
        return detail, energy, 1.0
    own, other, both = (float(means(product)[empty].sum()) for product in (a * a, b * b, a * b))
    return detail, energy, both / float(np.sqrt(own * other) + 1e-6)


def _graphic(frame: Frame) -> float:
    """How much of a drawing the less drawn of the two is: from 1 on few colours fill most of it, without any grain."""
    return min(_drawn(picture, frame.mask) for picture in (frame.still, frame.warped))


def _drawn(picture: Array, mask: Array) -> float:
    picture, mask = picture[::2, ::2], mask[::2, ::2]
    if not mask.any():
        return 0.0
    shade = grey(np.ascontiguousarray(picture))
    step = np.abs(cv2.Laplacian(shade, cv2.CV_32F)) + np.abs(cv2.Sobel(shade, cv2.CV_32F, 1, 0)) / 4
    step += np.abs(cv2.Sobel(shade, cv2.CV_32F, 0, 1)) / 4
    cells = np.clip(picture[mask], 0, 255).astype(np.int64) // 16
    count = np.sort(np.bincount(cells @ np.array([256, 16, 1]), minlength=4096))
    return min(float((step[mask] < EVEN).mean()) / DRAWN_EVEN, float(count[-6:].sum()) / len(cells) / DRAWN_COLOURS)


def _refined(first: Look, second: Look, view: _View) -> _View | None:
    """The same after the alignment was made finer by maximising the correlation (ECC: Evangelidis, Psarakis 2008)."""
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
    return _view(first, second, replace(view.alignment, matrix=whole / whole[2, 2]))
