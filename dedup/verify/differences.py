"""What lies on one of two aligned pictures and not on the other: captions, stickers, watermarks, covered parts.

Something laid over a picture changes nothing beside it, and has its edges on one side only: the other
picture shows what is beneath. Two moments of one scene fail both tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from dedup.verify.comparing import EVERY, SIGMA, Frame, correlation, grey, lowest, spread, strongest
from dedup.verify.look import Array

KEPT = 0.4  # share of the pixels that the fit goes by: more than half may be covered
LEAST = 24.0  # of 255, in the channel that differs most: what re-saving seldom reaches


@dataclass(frozen=True)
class Overlay:
    """Where two aligned pictures differ strongly, and how exactly they agree elsewhere.

    ``still`` and ``warped``: (h, w, 3) float32, the colours of one fitted to those of the other. ``mask``: (h, w) bool,
    the strong differences. ``share`` of the common area that differs; ``beside``: (h, w) bool, what lies clear of it,
    and ``rest`` its share.
    """

    still: Array
    warped: Array
    mask: Array
    beside: Array
    share: float
    rest: float

    @cached_property
    def _agreement(self) -> tuple[float, float]:
        return _agreement(grey(self.still), grey(self.warped), self.beside)

    @property
    def detail(self) -> float:
        """The correlation of the finest detail beside what differs."""
        return self._agreement[0]

    @property
    def residual(self) -> float:
        """The difference beside what differs strongly: root mean square, of 255."""
        return self._agreement[1]

    @cached_property
    def sided(self) -> float:
        """How much stronger the edges of what differs are in the still picture than in the warped, as a logarithm."""
        return _sidedness(self.still, self.warped, self.mask.astype(np.uint8))


def overlay_of(frame: Frame) -> Overlay:
    """Compare the two pictures of a frame pixel by pixel after a linear fit of their colours."""
    one, two = _fitted_colours(frame)
    area = max(1.0, float(frame.mask.sum()))
    difference = strongest(cv2.absdiff(cv2.GaussianBlur(one, (0, 0), 0.8), cv2.GaussianBlur(two, (0, 0), 0.8)))
    difference[~frame.mask] = 0
    sample = difference[::2, ::2][frame.mask[::2, ::2]]
    usual = lowest(sample, 0.5) if len(sample) else 0.0
    single = (difference > max(LEAST, 6 * usual)).astype(np.uint8)
    strong: Array = cv2.morphologyEx(single, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    beside = frame.mask & ~cv2.dilate(strong, np.ones((9, 9), np.uint8)).astype(bool)
    return Overlay(one, two, strong.astype(bool), beside, float(strong.sum()) / area, float(beside.sum()) / area)


def _fitted_colours(frame: Frame) -> tuple[Array, Array]:
    """Both pictures, the colours of one brought to those of the other: in the direction that leaves less."""
    one, one_error = _colour_map(frame.warped, frame.still, frame.mask)
    two, two_error = _colour_map(frame.still, frame.warped, frame.mask)
    return (frame.still, one) if one_error <= two_error else (two, frame.warped)


def _colour_map(source: Array, target: Array, mask: Array) -> tuple[Array, float]:
    seen = mask[::EVERY, ::EVERY]
    sample, wanted = source[::EVERY, ::EVERY][seen], target[::EVERY, ::EVERY][seen]
    if len(sample) < 50:
        return source, 255.0
    columns = np.column_stack([sample, np.ones(len(sample), np.float32)]).astype(np.float64)
    # From no change at all: what covers half of the picture must not win.
    same: Array = np.vstack([np.eye(3), np.zeros((1, 3))])
    weights, error = same, _most(sample - wanted)
    unchanged = lowest(error, KEPT)
    for _ in range(3):
        keep = error <= max(3.0, lowest(error, KEPT))
        chosen = columns[keep]
        weights = np.linalg.solve(chosen.T @ chosen + np.diag([20.0, 20, 20, 1e-3]), chosen.T @ wanted[keep])
        error = _most(columns @ weights - wanted)
    left = lowest(error, KEPT)
    # A fit to one colour explains what covers the picture, not the picture.
    is_degenerate = spread(columns @ weights) < 0.3 * spread(sample)
    if is_degenerate or unchanged <= 1.5 * left + 1.0:
        weights, left = same, unchanged
    fitted = cv2.transform(source, np.ascontiguousarray(weights.T.astype(np.float32)))
    return np.clip(fitted, 0, 255), left / (1.0 + spread(wanted))


def _most(difference: Array) -> Array:
    """(n, 3) -> (n,): the difference of the channel that differs most. numpy is slow along a short axis."""
    red, green, blue = np.abs(difference.T)
    return np.asarray(np.maximum(np.maximum(red, green), blue))


def _agreement(first: Array, second: Array, where: Array) -> tuple[float, float]:
    """(correlation of the finest detail, root mean square of the difference) of two grey pictures."""
    if where.sum() < 200:
        return 0.0, 255.0
    a, b = (one - cv2.GaussianBlur(one, (0, 0), SIGMA) for one in (first, second))
    apart = first - second
    return correlation(a, b, where)[0], float(cv2.mean(apart * apart, where.astype(np.uint8))[0] ** 0.5)


def _sidedness(one: Array, two: Array, strong: Array) -> float:
    kernel = np.ones((3, 3), np.uint8)
    rim = (cv2.dilate(strong, kernel) - cv2.erode(strong, kernel)).astype(bool)
    if rim.sum() < 8:
        return 0.0
    edges = [_edges(picture, rim) + 2.0 for picture in (one, two)]
    return float(np.log(edges[0] / edges[1]))


def _edges(picture: Array, rim: Array) -> float:
    """The mean gradient at some pixels, of the channel where it is steepest."""
    x, y = cv2.Sobel(picture, cv2.CV_32F, 1, 0)[rim], cv2.Sobel(picture, cv2.CV_32F, 0, 1)[rim]
    red, green, blue = np.hypot(x, y).T
    return float(np.maximum(np.maximum(red, green), blue).mean())
