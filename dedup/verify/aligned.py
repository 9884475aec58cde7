"""One picture laid on another, to look at the two in turn and at what differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from dedup.verify.comparing import in_one_frame
from dedup.verify.differences import overlay_of
from dedup.verify.look import Array, look_at
from dedup.verify.verifying import best_alignment

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class Aligned:
    """Two pictures in one frame: (h, w, 3) uint8 RGB, both of one size.

    ``other`` is black where it shows nothing. ``difference``: (h, w) bool, where the two differ strongly though the
    colours were fitted.
    """

    keeper: Array
    other: Array
    difference: Array


def lay_on(keeper: Image, other: Image) -> Aligned | None:
    """The other picture laid on the keeper as well as it can be; None where nothing speaks for any alignment.

    Both are upright RGB; the frame is that of whichever lies more fully within the other, about 384 x 288 pixels.
    """
    first, second = (look_at(image, image.width, image.height) for image in (keeper, other))
    alignment = best_alignment(first, second)
    if alignment is None:
        return None
    frame = in_one_frame(first, second, alignment)
    difference = cv2.dilate(overlay_of(frame).mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    pictures = [np.clip(one, 0, 255).astype(np.uint8) for one in (frame.still, frame.warped)]
    pictures[1] = np.where(frame.mask[..., None], pictures[1], 0).astype(np.uint8)
    kept, laid = pictures if frame.is_first else pictures[::-1]
    return Aligned(kept, laid, difference)
