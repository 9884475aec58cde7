"""Where one picture lies in the other: hypotheses from whole frames and from local features.

A transform is a 3 x 3 matrix that maps points of the first look's ``pixels`` to the second's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from dedup.verify.look import Array, Look, rooted

RATIO = 0.85
REPROJECTION = 3.0  # pixels of the looks
FEWEST_INLIERS = 6
WHOLE_FRAME = 0.75  # least |correlation| of two tiny copies for the whole frames to be tried on each other


@dataclass(frozen=True, slots=True)
class Alignment:
    """A transform and what speaks for it: inliers of how many tentative matches, and how it was found."""

    matrix: Array
    inliers: int
    tentative: int
    mirrored: bool = False
    negative: bool = False
    whole_frame: bool = False


def whole_frames(first: Look, second: Look, least: float = WHOLE_FRAME) -> Iterator[Alignment]:
    """The whole of one picture laid on the whole of the other, in the orientation that fits best."""
    scores = []
    for turns in range(4):
        for mirrored in (False, True):
            tiny = np.rot90(np.fliplr(first.tiny) if mirrored else first.tiny, turns)
            scores.append((float((tiny * second.tiny).sum()), turns, mirrored))
    for score, turns, mirrored in sorted(scores, key=lambda row: (-abs(row[0]), row[1], row[2]))[:2]:
        if abs(score) >= least:
            matrix = _frame_matrix(first, second, turns, mirrored)
            yield Alignment(matrix, 0, 0, mirrored, score < 0, whole_frame=True)


def _frame_matrix(first: Look, second: Look, turns: int, mirrored: bool) -> Array:
    """Maps the frame of the first, mirrored and then turned left ``turns`` quarters, onto that of the second."""
    h1, w1 = first.pixels.shape[:2]
    h2, w2 = second.pixels.shape[:2]
    # In coordinates from 0 to 1 of pixel corners; a quarter turn to the left takes (x, y) to (y, 1 - x).
    unit = np.eye(3)
    if mirrored:
        unit = np.array([[-1.0, 0, 1], [0, 1, 0], [0, 0, 1]])
    for _ in range(turns):
        unit = np.array([[0.0, 1, 0], [-1, 0, 1], [0, 0, 1]]) @ unit
    to_unit = np.array([[1 / w1, 0, 0.5 / w1], [0, 1 / h1, 0.5 / h1], [0, 0, 1]])
    from_unit = np.array([[w2, 0, -0.5], [0, h2, -0.5], [0, 0, 1.0]])
    return np.asarray(from_unit @ unit @ to_unit)


def by_features(first: Look, second: Look, *, mirrored: bool = False, negative: bool = False) -> Alignment | None:
    """The transform most local features agree on; None where too few do."""
    if min(len(first.points), len(second.points)) < FEWEST_INLIERS:
        return None
    left, right = _tentative(rooted(_changed(first.descriptors, mirrored, negative)), rooted(second.descriptors))
    if len(left) < FEWEST_INLIERS:
        return None
    source, target = first.points[left], second.points[right]
    matrix, inside = _ransac(source, target)
    if matrix is None:
        return None
    inliers = _distinct(source[inside], target[inside])
    if inliers < FEWEST_INLIERS or not _is_sane(matrix):
        return None
    return Alignment(matrix, inliers, len(left), mirrored, negative)


def _tentative(first: Array, second: Array) -> tuple[Array, Array]:
    """Row numbers of the features that are each other's nearest, clearly nearer than the next."""
    products = first @ second.T
    rows = np.arange(len(first))
    best = products.argmax(axis=1)
    top = products[rows, best]
    back = products.argmax(axis=0)
    products[rows, best] = -1.0
    following = products.max(axis=1)
    distance, further = np.sqrt(np.maximum(2 - 2 * top, 0)), np.sqrt(np.maximum(2 - 2 * following, 1e-9))
    good = (distance < RATIO * further) & (back[best] == rows)
    return rows[good], best[good]


def _ransac(source: Array, target: Array) -> tuple[Array | None, Array]:
    affine, mask = cv2.estimateAffine2D(
        source, target, method=cv2.USAC_MAGSAC, ransacReprojThreshold=REPROJECTION, maxIters=1000, confidence=0.999
    )
    found: Array | None = affine  # None where there is no such transform, whatever the library's types say
    if found is None:
        return None, np.zeros(len(source), bool)
    matrix = np.vstack([found, [0, 0, 1]])
    inside = mask.ravel().astype(bool)
    return _with_perspective(matrix, inside, source, target)


def _with_perspective(matrix: Array, inside: Array, source: Array, target: Array) -> tuple[Array, Array]:
    """A homography in place of the affine transform where clearly more features agree on it."""
    near = _errors(matrix, source, target) < 6 * REPROJECTION
    if near.sum() < max(12, 1.25 * inside.sum()):
        return matrix, inside
    found, mask = cv2.findHomography(source[near], target[near], cv2.USAC_MAGSAC, REPROJECTION, maxIters=1000)
    if found is None or mask.sum() < 1.25 * inside.sum():
        return matrix, inside
    return found, _errors(found, source, target) < REPROJECTION


def _errors(matrix: Array, source: Array, target: Array) -> Array:
    moved = cv2.perspectiveTransform(source[:, None].astype(np.float64), matrix)[:, 0]
    return np.asarray(np.linalg.norm(moved - target, axis=1))


def _distinct(source: Array, target: Array) -> int:
    """How many places the inliers lie at, in the picture where they are fewer."""
    return min(len(np.unique(np.round(points / 4), axis=0)) for points in (source, target))


def _is_sane(matrix: Array) -> bool:
    """Whether a transform is one a picture can have been through: no collapse, no extreme stretch."""
    values = np.linalg.svd(matrix[:2, :2], compute_uv=False)
    return bool(values[1] > 0.08 and values[0] < 12.0 and values[0] / values[1] < 3.0)


def _changed(descriptors: Array, mirrored: bool, negative: bool) -> Array:
    """The descriptors the same places have in the mirrored or the negative picture: a reordering of their bins.

    A descriptor is 4 rows x 4 columns x 8 directions, relative to the feature's own direction.
    """
    if not (mirrored or negative):
        return descriptors
    bins = descriptors.reshape(-1, 4, 4, 8)
    if mirrored:
        bins = bins[:, ::-1][..., [0, 7, 6, 5, 4, 3, 2, 1]]
    if negative:
        bins = bins[:, ::-1, ::-1]
    return np.ascontiguousarray(bins).reshape(-1, 128)
