"""From the evidence of a pair to what is kept of it: numbers, findings, and which of the two is the edit."""

from __future__ import annotations

import cv2
import numpy as np

from dedup.tiers import LOOK_ALIKE, SAME_PICTURE
from dedup.verify.evidence import Evidence
from dedup.verify.judging import is_another_moment
from dedup.verify.look import Array, Look
from dedup.verify.places import where_in
from dedup.verify.verification import WHOLE, Verification
from dedup.verify.verifying import Judged, best_evidence

COLOURLESS, COLOURFUL = 2.5, 5.0  # see _colourfulness
PROMISING = 0.85  # share of agreeing blocks from which a look-alike is looked at the other way round
PLAINLY_EQUAL = 16  # of 255: the most that any place may differ by for nothing else to be looked at
# Share of the local contrast that the difference of two plainly equal pictures reaches at most.
PLAINLY_LESS = 0.25
DOUBTFUL_NOISE = 0.8  # correlation of what is found where nothing else is, below which it may be another shot's
CLIPPED_MORE = 0.02  # share of the levels at the ends of the scale


def verify(first: Look, second: Look) -> Verification:
    """Look at two pictures: the tier of the pair, short of equal pixels, and what was found."""
    difference = _plain_difference(first, second)
    if difference is not None:
        scale = (second.width * second.height / (first.width * first.height)) ** 0.5
        return Verification(SAME_PICTURE, 1.0, round(scale, 4), closeness=round(1.0 - difference / 100, 3))
    best = best_evidence(first, second)
    if not _deserves_another_look(best):
        return _concluded(first, second, best)
    # Which of the two is brought into the other's frame and tones matters a little; it must not decide.
    other = best_evidence(second, first)
    if any(one is not None and is_another_moment(one[1]) for one in (best, other)):
        return Verification(LOOK_ALIKE, round(best[1].fine.agree, 3) if best else 0.0, closeness=0.0)
    if best is not None and best[0] != LOOK_ALIKE:
        return _concluded(first, second, best)
    return _concluded(second, first, other).swapped()


def _deserves_another_look(best: Judged | None) -> bool:
    """Whether the other direction may tell more: nearly a copy, or a copy whose noise is nearly another one."""
    if best is None:
        return False
    tier, e = best
    if tier == LOOK_ALIKE:
        return e.fine.agree >= PROMISING
    return e.noise < DOUBTFUL_NOISE and e.blur >= 0.7


def _concluded(first: Look, second: Look, best: Judged | None) -> Verification:
    if best is None:
        return Verification(LOOK_ALIKE, 0.0, closeness=0.0)
    tier, e = best
    if tier == LOOK_ALIKE:
        return Verification(LOOK_ALIKE, round(e.fine.agree, 3), closeness=0.0)
    scale, angle = _scale_and_angle(first, second, e)
    found = _findings(first, second, e)
    return Verification(
        tier,
        round(e.fine.agree, 3),
        round(scale, 4),
        round(angle, 1),
        (round(e.covers[0], 3), round(e.covers[1], 3)),
        _edit(found, first, second),
        tuple(found),
        where_in(e.overlay.mask) if any(one.endswith("overlaid") for one in found) else "",
        round(max(0.0, e.detail), 3),
    )


def _plain_difference(first: Look, second: Look) -> float | None:
    """How far apart two looks are on average, of 255; None where any place differs by more than re-saving explains."""
    if first.pixels.shape != second.pixels.shape:
        return None
    one, two = (cv2.GaussianBlur(look.pixels, (0, 0), 0.8) for look in (first, second))
    difference = cv2.absdiff(one, two)
    if int(difference.max()) > PLAINLY_EQUAL:
        return None
    contrast = cv2.absdiff(one, cv2.GaussianBlur(one, (0, 0), 4.0))
    # The faint lines of two drawings differ by little more than nothing, and are all there is to see.
    is_small = float(cv2.norm(difference)) <= PLAINLY_LESS * float(cv2.norm(contrast))
    return float(difference.mean()) if is_small else None


def _scale_and_angle(first: Look, second: Look, e: Evidence) -> tuple[float, float]:
    a, b, c, d = e.alignment.matrix[:2, :2].ravel()
    mirrored = a * d - b * c < 0
    angle = float(np.degrees(np.arctan2(-c if not mirrored else c, a if not mirrored else -a)))
    shown = [(look.width * look.height / look.pixels[..., 0].size) ** 0.5 for look in (first, second)]
    return float(abs(a * d - b * c) ** 0.5) * shown[1] / shown[0], angle


def _findings(first: Look, second: Look, e: Evidence) -> list[str]:
    found = []
    if np.linalg.det(e.alignment.matrix[:2, :2]) < 0:
        found.append("mirrored")
    if e.alignment.negative:
        found.append("negative")
    found += _frame_findings(first, second, e)
    found += _colour_findings(first, second, e)
    if e.changed and e.overlay.share > 0.0005 and e.overlay.detail >= 0.93 and abs(e.overlay.sided) >= 0.3:
        # A positive sidedness means edges in the still picture. These are also why its detail is richer.
        found.append("1:overlaid" if (e.overlay.sided > 0) == e.frame.is_first else "2:overlaid")
    else:
        found += _detail_findings(e)
    return found


def _frame_findings(first: Look, second: Look, e: Evidence) -> list[str]:
    if e.covers[0] >= WHOLE and e.covers[1] >= WHOLE:
        return []
    if max(e.covers) < WHOLE:
        return ["1:cropped", "2:cropped"]
    larger = 2 if e.covers[0] >= e.covers[1] else 1
    look, other = (second, first) if larger == 2 else (first, second)
    matrix = e.alignment.matrix if larger == 2 else np.linalg.inv(e.alignment.matrix)
    if _is_added(look, other, matrix):
        return [f"{larger}:framed"]
    return [f"{3 - larger}:cropped"]


def _is_added(look: Look, inner: Look, matrix: Array) -> bool:
    """Whether what lies around the inner picture, which ``matrix`` lays into the look, was put there.

    It is even (a bar, a border), or the inner picture's outline shows as an edge, which a crop's never does.
    """
    h, w = inner.pixels.shape[:2]
    mask = (cv2.warpPerspective(np.full((h, w), 255, np.uint8), matrix, look.pixels.shape[1::-1]) > 127).astype(
        np.uint8
    )
    kernel = np.ones((5, 5), np.uint8)
    around, within = (1 - cv2.dilate(mask, kernel)).astype(bool), cv2.erode(mask, kernel).astype(bool)
    if around.sum() < 50 or within.sum() < 50:
        return False
    # The frame's own edge is no outline: only where the mask ends inside the look.
    rim = cv2.dilate(mask, np.ones((3, 3), np.uint8)) - cv2.erode(mask, np.ones((3, 3), np.uint8), borderValue=1)
    grey = cv2.cvtColor(look.pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    step = np.abs(cv2.Sobel(grey, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    even_around, even_within = float((step[around] < 8).mean()), float((step[within] < 8).mean())
    outline = float(np.median(step[rim.astype(bool)])) if rim.any() else 0.0
    return even_around > 0.5 + 0.5 * even_within or outline > 25 + 2 * float(np.median(step[within]))


def _colour_findings(first: Look, second: Look, e: Evidence) -> list[str]:
    one, two = _colourfulness(first), _colourfulness(second)
    if min(one, two) < COLOURLESS and max(one, two) > COLOURFUL:
        return ["1:grey" if one < two else "2:grey"]
    if (
        e.tinted > 8
        or max(e.gain) - min(e.gain) > 0.25
        or not 0.6 <= (e.saturation[0] + 4) / (e.saturation[1] + 4) <= 1.6
    ):
        return ["recoloured"]
    if e.alignment.negative:
        return []
    shades = [float(picture[e.frame.mask].mean()) for picture in (e.frame.still, e.frame.warped)]
    first_shade, second_shade = shades if e.frame.is_first else shades[::-1]
    if abs(second_shade - first_shade) > 12:
        return ["brighter" if second_shade > first_shade else "darker"]
    return []


def _colourfulness(look: Look) -> float:
    """How far the colours go beyond those of one tinted scale, as a standard deviation of 255."""
    pixels = look.pixels[::4, ::4].reshape(-1, 3).astype(np.float64)
    grey = pixels.mean(axis=1)
    scale = np.column_stack([grey * grey / 255, grey, np.ones(len(grey))])
    left = pixels - scale @ np.linalg.lstsq(scale, pixels, rcond=None)[0]
    return float(np.sqrt((left**2).mean()))


def _detail_findings(e: Evidence) -> list[str]:
    if e.blur >= 0.75:
        return []
    poorer = 1 if e.sharpness[0] < e.sharpness[1] else 2
    # Noise has nothing in common with the other picture's detail; what was blurred has.
    if e.detail < 0.75 * e.blur + 0.25 and e.noise < 0.5 and e.mid.agree > 0.97 and e.fine.agree > 0.6 and e.blur > 0.3:
        return [f"{3 - poorer}:noisy"]
    # A little less may as well be that the other was sharpened.
    return [f"{poorer}:blurred"] if e.blur < 0.6 else []


def _edit(found: list[str], first: Look, second: Look) -> int:
    """1 or 2 where all that was found speaks of the same picture, else 0."""
    telling = {int(one[0]) for one in found if one[:2] in ("1:", "2:")}
    one, two = _clipped(first), _clipped(second)
    if not telling and abs(one - two) > CLIPPED_MORE:
        telling = {1 if one > two else 2}
    return telling.pop() if len(telling) == 1 else 0


def _clipped(look: Look) -> float:
    return float(((look.pixels <= 1) | (look.pixels >= 254)).mean())
