"""From evidence to a tier: is it the same picture, an edit of it, or only alike?

The bounds were chosen on some thousands of edited copies and on the hardest pairs of different pictures that could be
found (bursts, video frames, drawings in other colours), so that none of the latter passes. Each rule says
what it admits; a pair that no rule admits is a look-alike.
"""

from __future__ import annotations

import numpy as np

from dedup.tiers import EDITED, LOOK_ALIKE, SAME_PICTURE
from dedup.verify.evidence import Evidence

WHOLE_FRAME = 0.98  # share of each that must lie in the other for both to show the whole frame
CONTAINED = 0.97  # share of the one picture that must lie in the other
FEWEST_BLOCKS, FEWEST_OF_GRAPHICS = 12, 20  # that show something
GRAPHIC = 0.8  # from which a pair counts as drawings or screens
# Pixels, or else share of the other's pixels: in a smaller thumbnail two shots of a burst may look the same.
SHOWS_ENOUGH, SHARE_ENOUGH = 150 * 150, 0.2
RICH = 90  # blocks that show something from which even a drawing may be turned or cut


def tier_of(evidence: Evidence) -> str:
    """``same picture``, ``edited`` or ``look-alike``."""
    if not is_same_source(evidence):
        return LOOK_ALIKE
    return SAME_PICTURE if _is_same_picture(evidence) else EDITED


def is_same_source(evidence: Evidence) -> bool:
    """Whether both pictures come from one and the same shot or drawing."""
    if evidence.fine.textured < FEWEST_BLOCKS:
        return False
    if is_another_moment(evidence):
        return False
    if evidence.graphic >= GRAPHIC:
        return _is_same_graphic(evidence) or _is_toned_graphic(evidence)
    rules = (
        _is_clean,
        _is_compressed,
        _agrees_but_for_grain,
        _lost_detail,
        _lost_finest_detail,
        _lost_nearly_all_detail,
        _is_overlaid,
    )
    return any(rule(evidence) for rule in rules) or _is_overlapping(evidence)


def _is_clean(e: Evidence) -> bool:
    """Everything agrees down to the finest detail: re-saves, resizes, tones, colours, crops, turns."""
    has_much_to_see = e.fine.textured >= 60 or e.noise >= 0.5
    # A faint even texture, as of leather, correlates less; its grain is still the same.
    is_same_grain = e.fine.textured >= 200 and e.fine.agree >= 0.99 and e.noise >= 0.85 and e.detail >= 0.88
    return (
        max(e.covers) >= CONTAINED
        and e.marked <= _most_marked(e)
        and e.fine.agree >= (0.9 if e.detail >= 0.95 else 0.95)
        and e.fine.typical >= (0.96 if is_same_grain else 0.97)
        and e.detail >= (0.85 if has_much_to_see else 0.93)
    )


def _most_marked(e: Evidence) -> float:
    """Changed tones may mark the blocks they clipped, if the finest detail is still the same."""
    is_changed = any(not 0.9 <= gain <= 1.1 for gain in e.gain)
    return 0.04 if is_changed and e.detail >= 0.93 else 0.01


def _is_compressed(e: Evidence) -> bool:
    """The finest detail was replaced by artefacts that vanish in a coarser view: strong compression, a print."""
    return (
        max(e.covers) >= CONTAINED
        and e.marked <= 0.01
        and e.fine.agree >= 0.93
        and e.fine.typical >= 0.965
        and e.mid.agree >= 0.99
        and e.mid.typical >= 0.98
        and e.mid.residual <= 0.55 * e.fine.residual
        and e.detail >= 0.55
    )


def _lost_detail(e: Evidence) -> bool:
    """One of the two lacks the other's finest detail, or has noise in its place; the rest agrees."""
    return (
        max(e.covers) >= CONTAINED
        and e.blur < 0.75
        # Of pictures almost as sharp as each other the detail must be much the same.
        and (e.blur < 0.6 or e.detail >= 0.5 * e.blur)
        and e.marked <= 0.04
        and e.mid.textured >= 4
        and e.mid.agree >= 0.97
        and e.mid.typical >= 0.965
    )


def _agrees_but_for_grain(e: Evidence) -> bool:
    """Noise, a scan, a slight turn: all that is larger than the grain agrees as in no two shots.

    Of a picture that is a small part of the other a little less is enough: shots that near differ in more.
    """
    is_part = min(e.covers) <= 0.6 and e.detail >= 0.7
    return (
        max(e.covers) >= CONTAINED
        and e.fine.textured >= 60
        and e.marked <= 0.005
        and e.fine.agree >= 0.97
        and e.fine.typical >= (0.986 if is_part else 0.9938)
        and e.mid.agree >= 0.99
        and e.mid.typical >= (0.994 if is_part else 0.9965)
        and e.mid.residual <= (0.8 if e.mid.typical >= 0.999 else 0.7) * e.fine.residual
    )


def _lost_finest_detail(e: Evidence) -> bool:
    """The finest detail has nothing in common though all else agrees: one of the two is made of large squares."""
    return (
        max(e.covers) >= CONTAINED
        and e.fine.textured >= 20
        and e.detail <= 0.15
        and e.fine.typical <= 0.93
        and e.marked <= 0.04
        and e.mid.agree >= 0.97
        and e.mid.typical >= 0.97
    )


def _lost_nearly_all_detail(e: Evidence) -> bool:
    """One of the two is a blur of the other."""
    return (
        max(e.covers) >= CONTAINED
        and e.blur < 0.25
        and e.marked <= 0.04
        and e.coarse.textured >= 4
        and e.coarse.agree >= 0.95
        and e.coarse.typical >= 0.96
    )


def _is_overlaid(e: Evidence) -> bool:
    """Something lies on one of the two, and beside it nothing at all has changed."""
    return (
        max(e.covers) >= CONTAINED
        and (e.graphic < 0.25 or (e.graphic < 0.6 and e.fine.textured * e.fine.agree >= 120))
        and e.fine.textured * e.fine.agree >= 40
        and e.overlay.rest >= 0.2
        and (
            (e.overlay.detail >= 0.97 and e.overlay.residual <= 2.6)
            or (e.overlay.detail >= 0.985 and e.overlay.residual <= 4.0)
        )
        and abs(e.overlay.sided) >= 0.3
    )


def _is_overlapping(e: Evidence) -> bool:
    """Each shows a part the other lacks; the common part must agree exactly, as in no two shots from one place."""
    return (
        max(e.covers) >= 0.5
        and e.marked <= 0.005
        and e.fine.agree >= 0.98
        and e.fine.typical >= 0.985
        and e.detail >= 0.93
    )


def is_another_moment(e: Evidence) -> bool:
    """A fixed camera: all lies where it lay, but the light has changed and the noise is another."""
    return (
        e.noise < 0.65
        and e.fine.typical < 0.9975
        and e.mid.residual > 1.1
        and e.mid.residual > 0.8 * e.fine.residual
        and e.blur >= 0.75
        and all(0.9 <= gain <= 1.1 for gain in e.gain)
    )


def _is_same_graphic(e: Evidence) -> bool:
    """Of drawings and screens only what is unchanged: recoloured, or with other words, it is another one.

    A simple one may not even be turned, mirrored or cut: an arrow to the left is no copy of one to the right.
    """
    whole = _is_upright(e) and min(e.covers) >= 0.93
    return (
        max(e.covers) >= CONTAINED
        and (e.fine.textured >= FEWEST_OF_GRAPHICS or e.fine.textured >= e.blocks / 8)
        and (whole or (e.fine.textured >= RICH and e.detail >= 0.9))
        and e.marked == 0
        and e.changed == 0
        and e.fine.agree >= 0.95
        and e.fine.typical >= 0.97
        and _has_same_colours(e)
        and (e.detail >= 0.8 or (e.blur < 0.75 and e.detail >= 0.5))
    )


def _is_toned_graphic(e: Evidence) -> bool:
    """A rich drawing whose colours were changed as a whole: every line of it is where it was, and as strong."""
    return (
        _is_upright_or_negative(e)
        and min(e.covers) >= 0.93
        and e.fine.textured >= RICH
        and e.marked == 0
        and e.fine.agree >= 0.99
        and e.fine.typical >= 0.999
        and e.detail >= 0.98
        and e.noise >= 0.8
    )


def _is_same_picture(e: Evidence) -> bool:
    """The whole frame, upright, with the same colours and no region that tells a different story."""
    return (
        _is_upright(e)
        and min(e.covers) >= WHOLE_FRAME
        and e.marked <= 0.003
        and (e.fine.textured >= 20 or e.graphic >= GRAPHIC)
        and _shows_enough(e)
        and e.fine.agree >= 0.9
        and e.changed == 0
        and (e.overlay.share <= 0.01 or e.graphic >= GRAPHIC)
        and e.blur >= 0.35
        and (e.noise >= 0.65 or e.mid.residual <= 1.1)
        and e.mid.agree >= (0.95 if e.detail >= 0.93 else 0.99)
        and _has_same_colours(e)
    )


def may_become_same_picture(e: Evidence) -> bool:
    """Whether an edit could be the same picture under a slightly different alignment."""
    return _is_upright(e) and min(e.covers) >= 0.9 and e.fine.agree >= 0.85


def _shows_enough(e: Evidence) -> bool:
    smaller, larger = sorted(e.areas)
    return smaller >= SHOWS_ENOUGH or smaller >= SHARE_ENOUGH * larger


def _is_upright(e: Evidence) -> bool:
    """Not mirrored, not turned by more than two degrees, not a negative."""
    return not e.alignment.negative and _is_upright_or_negative(e)


def _is_upright_or_negative(e: Evidence) -> bool:
    a, b, c, d = e.alignment.matrix[:2, :2].ravel()
    angle = np.degrees(np.arctan2(c - b, a + d))
    return bool(a * d - b * c > 0) and abs(float(angle)) <= 2.0


def _has_same_colours(e: Evidence) -> bool:
    first, second = (value + 4.0 for value in e.saturation)
    return (
        all(0.7 <= gain <= 1.45 for gain in e.gain)
        and max(e.gain) - min(e.gain) <= 0.15
        and 0.7 <= first / second <= 1.45
        and e.recoloured <= 30.0
    )
