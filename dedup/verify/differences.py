"""What lies on one of two aligned pictures and not on the other: captions, stickers, watermarks, covered parts.

Something laid over a picture changes nothing beside it, and has its edges on one side only: the other
picture shows what is beneath. Two moments of one scene fail both tests.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dedup.verify.comparing import EVERY, Frame, grey, lowest, strongest
from dedup.verify.look import Array

KEPT = 0.4  # share of the pixels that the fit goes by: more than half may be covered
LEAST = 24.0  # of 255, in the channel that differs most: what re-saving seldom reaches


@dataclass(frozen=True, slots=True)
class Overlay:
    """Where two aligned pictures differ strongly, and how exactly they agree elsewhere.

    ``mask``: (h, w) bool in the frame. ``share`` of the common area that differs; ``rest`` the share beside it, with
    its ``detail`` (the correlation of its finest detail) and ``residual`` (root mean square, of 255). ``sided``: how
    much stronger the edges of what differs are in the still picture than in the warped one, as a logarithm.
    """

    mask: Array
    share: float
    rest: float
    detail: float
    residual: float
    sided: float


def overlay_of(frame: Frame) -> Overlay:
    """Compare the two pictures of a frame pixel by pixel after a linear fit of their colours."""
    one, two = _fitted_colours(frame)
    area = float(frame.mask.sum())
    difference = strongest(cv2.absdiff(cv2.GaussianBlur(one, (0, 0), 0.8), cv2.GaussianBlur(two, (0, 0), 0.8)))
    difference[~frame.mask] = 0
    usual = float(np.median(difference[frame.mask])) if area else 0.0
    single = (difference > max(LEAST, 6 * usual)).astype(np.uint8)
    strong: Array = cv2.morphologyEx(single, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    beside = frame.mask & ~cv2.dilate(strong, np.ones((9, 9), np.uint8)).astype(bool)
    first, second = grey(one), grey(two)
    detail, residual = _agreement(first, second, beside)
    return Overlay(
        strong.astype(bool),
        float(strong.sum()) / max(1.0, area),
        float(beside.sum()) / max(1.0, area),
        detail,
        residual,
        _sidedness(one, two, strong),
    )


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
    same = np.vstack([np.eye(3), np.zeros((1, 3))])
    weights, error = same, np.abs(sample - wanted).max(axis=1)
    unchanged = lowest(error, KEPT)
    for _ in range(3):
        keep = error <= max(3.0, lowest(error, KEPT))
        chosen = columns[keep]
        weights = np.linalg.solve(chosen.T @ chosen + np.diag([20.0, 20, 20, 1e-3]), chosen.T @ wanted[keep])
        error = np.abs(columns @ weights - wanted).max(axis=1)
    left = lowest(error, KEPT)
    # A fit to one colour explains what covers the picture, not the picture.
    is_degenerate = float((columns @ weights).std()) < 0.3 * float(sample.std())
    if is_degenerate or unchanged <= 1.5 * left + 1.0:
        weights, left = same, unchanged
    fitted = cv2.transform(source, np.ascontiguousarray(weights.T.astype(np.float32)))
    return np.clip(fitted, 0, 255), left / (1.0 + float(wanted.std()))


def _agreement(first: Array, second: Array, where: Array) -> tuple[float, float]:
    """(correlation of the finest detail, root mean square of the difference) of two grey pictures."""
    if where.sum() < 200:
        return 0.0, 255.0
    a, b = ((one - cv2.GaussianBlur(one, (0, 0), 1.6))[where] for one in (first, second))
    product = float((a * b).mean())
    return product / float(a.std() * b.std() + 1e-3), float(np.sqrt(((first - second)[where] ** 2).mean()))


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
    return float(np.hypot(x, y).max(axis=1).mean())
