"""A picture laid on its keeper, for the reviewers: read from the disk, aligned, and what differs made visible.

OpenCV is loaded when the first pair is aligned, not before.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dedup import images

if TYPE_CHECKING:
    from dedup.verify.aligned import Aligned

SIDE = 1024  # alignment looks at less; this leaves it something to reduce
BLACK = 0  # an aligned picture where it shows nothing
DARK = 8  # up to here the other one's black may be the picture's own
SIGNAL = (224, 30, 22)


def laid_on(keeper: Path, other: Path) -> Aligned | None:
    """The other file's picture laid on the keeper's; None where they cannot be aligned.

    Raises UnreadablePicture when one of them cannot be shown.
    """
    first, second = images.thumbnail(keeper, SIDE), images.thumbnail(other, SIDE)
    from dedup.verify.aligned import lay_on

    return lay_on(first, second)


def share_differing(aligned: Aligned) -> float:
    """The share (0 to 1) of the area both pictures show in which they differ strongly."""
    common = _common(aligned)
    return float((aligned.difference & common).sum()) / max(1, int(common.sum()))


def highlighted(aligned: Aligned) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The other picture, grey and pale, with what differs in red; beside it the keeper, fainter still."""
    common = _common(aligned)
    grey = np.where(common, 70 + 0.6 * aligned.other.mean(axis=2), 170 + 0.25 * aligned.keeper.mean(axis=2))
    shown = np.repeat(grey[..., None], 3, axis=2)
    differs = aligned.difference & common
    # The red stays recognisable on black and on white, and what lies under it too.
    shown[differs] = 0.25 * shown[differs] + 0.75 * np.array(SIGNAL)
    pixels: np.ndarray[Any, np.dtype[np.uint8]] = np.clip(shown, 0, 255).astype(np.uint8)
    return pixels


def _common(aligned: Aligned) -> np.ndarray[Any, np.dtype[np.bool_]]:
    keeper, other = aligned.keeper.max(axis=2), aligned.other.max(axis=2)
    alone = ((keeper == BLACK) & (other > DARK)) | ((other == BLACK) & (keeper > DARK))
    # What is black in one and differs by content was compared, so it is common.
    return np.asarray(~alone | aligned.difference)
