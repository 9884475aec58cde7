"""JPEGs decoded by the GPU (nvJPEG, through torchvision) and reduced there: the processor gets small pictures.

Only files that any decoder reads alike are sent there; all others, and those it refuses, go the usual way.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dedup.sample import drawn_pictures

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

# File contents -> pictures of (3, height, width) uint8, in the same order; raises when it cannot read one of them.
Decoder = Callable[[list["Tensor"]], list["Tensor"]]
# File contents and the size wanted -> pictures as they lie in the file; None for what could not be decoded.
Reducer = Callable[[Sequence[bytes], int], list["Image | None"]]
# How far its levels may be from the usual decoder's, on average, in levels of 255: the rounding of two decoders.
MOST_APART = 2.0


def gpu_reducer(device: str) -> Reducer | None:
    """The GPU's decoder as a ``Reducer``; None without CUDA, without torchvision's decoder, or where it errs."""
    if not device.startswith("cuda"):
        return None
    try:
        from torchvision.io import ImageReadMode, decode_jpeg
    except Exception:  # absent, or built for another torch: then it raises what it likes
        return None

    def decode(files: list[Tensor]) -> list[Tensor]:
        decoded: list[Tensor] = decode_jpeg(files, mode=ImageReadMode.RGB, device=device)
        return decoded

    return reducer(decode) if agrees(decode) else None


def reducer(decode: Decoder) -> Reducer:
    """A decoder as a ``Reducer``: pictures come back with no less than twice the size wanted on their shorter side."""

    def reduce(files: Sequence[bytes], size: int) -> list[Image | None]:
        return [None if pixels is None else _reduced(pixels, 2 * size) for pixels in _decoded(decode, files)]

    return reduce


def agrees(decode: Decoder) -> bool:
    """Whether a decoder gives what the usual one gives, on drawn pictures saved in the common ways."""
    from PIL import Image

    for picture in drawn_pictures()[:2]:
        for how in ({"subsampling": 0}, {"subsampling": 2}, {"progressive": True}):
            file = io.BytesIO()
            picture.save(file, "JPEG", quality=90, **how)
            wanted = np.asarray(Image.open(file).convert("RGB"), dtype=np.float32)
            found = _decoded(decode, [file.getvalue()])[0]
            if found is None or tuple(found.shape[1:]) != wanted.shape[:2]:
                return False
            levels = found.permute(1, 2, 0).cpu().numpy().astype(np.float32)
            if float(np.abs(levels - wanted).mean()) > MOST_APART:
                return False
    return True


def _decoded(decode: Decoder, files: Sequence[bytes]) -> list[Tensor | None]:
    """Each file's pixels or None: all at once, and one by one where one of them spoils that."""
    import torch

    tensors = [torch.frombuffer(bytearray(data), dtype=torch.uint8) for data in files]
    try:
        return list(decode(tensors))
    except Exception:  # torchvision raises RuntimeError; what CUDA adds to that is its own
        if len(files) == 1:
            return [None]
        return [_decoded(decode, [data])[0] for data in files]


def _reduced(pixels: Tensor, shorter: int) -> Image:
    import torch
    from PIL import Image
    from torch.nn.functional import interpolate

    height, width = pixels.shape[1:]
    if min(height, width) > shorter:
        scale = shorter / min(height, width)
        size = (max(shorter, round(height * scale)), max(shorter, round(width * scale)))
        smaller = interpolate(pixels.unsqueeze(0).float(), size, mode="bilinear", antialias=True)
        pixels = smaller.squeeze(0).round_().clamp_(0, 255).to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).contiguous().cpu().numpy())
