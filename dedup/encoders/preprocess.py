"""Resizing and cropping in the decode workers, on uint8; scaling happens on the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from dedup.encoders.interface import Uint8Array

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class Squash:
    """The whole picture squeezed into a square of ``size`` pixels, antialiased."""

    size: int
    mode: str = "bilinear"

    def __call__(self, image: Image) -> Uint8Array:
        """(3, size, size) uint8."""
        return _resize(image, self.size, self.size, self.mode)


@dataclass(frozen=True, slots=True)
class ShortestEdgeCrop:
    """The shorter side brought to ``edge`` pixels, then the middle ``size`` x ``size`` cut out."""

    edge: int
    size: int
    mode: str = "bicubic"

    def __call__(self, image: Image) -> Uint8Array:
        """(3, size, size) uint8."""
        # A very long strip is cut before it is resized, so that its long side cannot exhaust memory.
        longest = max(8 * min(image.size), 1)
        if max(image.size) > longest:
            left, top = (max(0, (side - longest) // 2) for side in image.size)
            image = image.crop((left, top, left + min(image.width, longest), top + min(image.height, longest)))
        scale = self.edge / min(image.size)
        width, height = (max(self.edge, round(side * scale)) for side in image.size)
        resized = _resize(image, height, width, self.mode)
        top, left = (height - self.size) // 2, (width - self.size) // 2
        return np.ascontiguousarray(resized[:, top : top + self.size, left : left + self.size])


def _resize(image: Image, height: int, width: int, mode: str) -> Uint8Array:
    # torch's uint8 antialiased resize is vectorised on every platform; Pillow's only with SIMD builds.
    import torch
    from torch.nn.functional import interpolate

    pixels = torch.from_numpy(np.array(image, dtype=np.uint8)).permute(2, 0, 1).unsqueeze(0)
    resized = interpolate(pixels, (height, width), mode=mode, antialias=True)
    return cast(Uint8Array, resized.squeeze(0).contiguous().numpy())
