"""Resizing and cropping in the decode workers, on uint8; scaling happens on the device.

How a checkpoint wants it is read here from its preprocessor_config.json: the image
processors of transformers are not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from dedup.encoders.interface import Prepare, Uint8Array
from dedup.encoders.network import Scaling

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Raised whenever the same config gives other pixels than before.
VERSION = 2
LONGEST_STRIP = 8
SEEN_SIDE = 64
_MODES = {2: "bilinear", 3: "bicubic"}


class SeesPixels:
    """Contrast for encoders whose input is the picture itself."""

    def contrast(self, seen: Uint8Array, prepared: Uint8Array) -> float:
        """Of what the encoder sees: it may have cut the picture's borders off."""
        return spread(prepared)


def spread(pixels: Uint8Array) -> float:
    """The highest standard deviation of a channel: an even red sheet shows nothing, however far red is from green.

    numpy's own takes longer than decoding a small picture.
    """
    levels = pixels.reshape(len(pixels), -1).astype(np.float32)
    levels -= levels.mean(axis=1, keepdims=True)
    return float(np.sqrt(np.einsum("ij,ij->i", levels, levels).max() / levels.shape[1]))


def seen(image: Image) -> Uint8Array:
    """The whole picture as (3, 64, 64) uint8, from which its frame and its contrast are taken."""
    return Squash(SEEN_SIDE)(image)


@dataclass(frozen=True)
class Squash(SeesPixels):
    """The whole picture squeezed into a square of ``size`` pixels, antialiased."""

    size: int
    mode: str = "bilinear"

    def __call__(self, image: Image) -> Uint8Array:
        """(3, size, size) uint8."""
        return _resize(image, self.size, self.size, self.mode)


@dataclass(frozen=True)
class SquashCrop(SeesPixels):
    """The whole picture squeezed into a square of ``edge`` pixels, then the middle ``size`` x ``size`` cut out."""

    edge: int
    size: int
    mode: str = "bilinear"

    def __call__(self, image: Image) -> Uint8Array:
        """(3, size, size) uint8."""
        return _middle(_resize(image, self.edge, self.edge, self.mode), self.size)


@dataclass(frozen=True)
class ShortestEdgeCrop(SeesPixels):
    """The shorter side brought to ``edge`` pixels, then the middle ``size`` x ``size`` cut out."""

    edge: int
    size: int
    mode: str = "bicubic"

    def __call__(self, image: Image) -> Uint8Array:
        """(3, size, size) uint8."""
        # A very long strip is cut before it is resized, so that its long side cannot exhaust memory.
        longest = max(LONGEST_STRIP * min(image.size), 1)
        if max(image.size) > longest:
            left, top = (max(0, (side - longest) // 2) for side in image.size)
            image = image.crop((left, top, left + min(image.width, longest), top + min(image.height, longest)))
        scale = self.edge / min(image.size)
        width, height = (max(self.edge, int(side * scale)) for side in image.size)
        return _middle(_resize(image, height, width, self.mode), self.size)


def from_config(config: Mapping[str, Any]) -> tuple[Prepare, Scaling]:
    """What a preprocessor_config.json asks for, in any of the forms such files have had.

    What it leaves out, or leaves null, is 224 pixels, bicubic, ImageNet's mean and deviation.
    """
    given = {name: value for name, value in config.items() if value is not None}
    edge, squash = _size(given.get("size", 224), _is_square_by_default(given))
    crop, _ = _size(given.get("crop_size", edge), True)
    if not given.get("do_center_crop", not squash):
        crop = edge
    mode = _MODES.get(given.get("resample", 3), "bicubic")
    prepare: Prepare
    if not squash:
        prepare = ShortestEdgeCrop(edge, min(crop, edge), mode)
    else:
        prepare = Squash(edge, mode) if crop >= edge else SquashCrop(edge, crop, mode)
    return prepare, _scaling(given)


def _is_square_by_default(config: Mapping[str, Any]) -> bool:
    """Whether a size that is one number means both sides: not so for CLIP's processors and DINOv2's."""
    kind = str(config.get("image_processor_type") or config.get("feature_extractor_type") or "CLIP")
    return not kind.startswith(("CLIP", "Bit"))


def _size(size: Any, square: bool) -> tuple[int, bool]:
    """(pixels, whether both sides become that long) from the forms the configs have."""
    if not isinstance(size, Mapping):
        return int(size), square
    if "shortest_edge" in size:
        return int(size["shortest_edge"]), False
    return int(size["height"]), True


def _scaling(config: Mapping[str, Any]) -> Scaling:
    mean: tuple[float, ...] = (0.0,) * 3
    std: tuple[float, ...] = (1.0,) * 3
    if config.get("do_normalize", True):
        mean, std = tuple(config.get("image_mean", IMAGENET_MEAN)), tuple(config.get("image_std", IMAGENET_STD))
    if config.get("rescale_offset"):
        # level * factor - 1, then the normalisation.
        mean = tuple(value + 1.0 for value in mean)
    if config.get("include_top"):
        # EfficientNet divides by its standard deviation a second time.
        std = tuple(a * b for a, b in zip(std, config.get("image_std", IMAGENET_STD), strict=True))
    return Scaling(mean, std, float(config.get("rescale_factor", 1 / 255)))


def _middle(pixels: Uint8Array, size: int) -> Uint8Array:
    top, left = ((side - size) // 2 for side in pixels.shape[1:])
    return np.ascontiguousarray(pixels[:, top : top + size, left : left + size])


def _resize(image: Image, height: int, width: int, mode: str) -> Uint8Array:
    # torch's uint8 antialiased resize is vectorised on every platform; Pillow's only with SIMD builds.
    import torch
    from torch.nn.functional import interpolate

    pixels = torch.from_numpy(np.array(image, dtype=np.uint8)).permute(2, 0, 1).unsqueeze(0)
    resized = interpolate(pixels, (height, width), mode=mode, antialias=True)
    return cast(Uint8Array, resized.squeeze(0).contiguous().numpy())
