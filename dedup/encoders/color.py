"""Colour matching: how much of a picture has which colour. Fast, and blind to shapes.

A histogram over CIE L*a*b*, soft between bins: the square roots of the shares, so that
the dot product of two is the Bhattacharyya coefficient.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from dedup.encoders.interface import Encoder, Float32Rows, LoadOptions, no_text
from dedup.encoders.preprocess import Squash
from dedup.provenance import Provenance

if TYPE_CHECKING:
    from torch import Tensor

NAME = "color"
PREPROCESSING = 1
SIDE = 64
# Bins for lightness (0 to 100) and for the two colour axes (-100 to 100).
BINS = (8, 8, 8)
LOW, HIGH = (0.0, -100.0, -100.0), (100.0, 100.0, 100.0)
DIM = BINS[0] * BINS[1] * BINS[2]
# sRGB to XYZ (IEC 61966-2-1) over the D65 white point.
XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
WHITE = (0.95047, 1.0, 1.08883)


def available() -> bool:
    """Always: torch is enough."""
    return True


def checkpoint(options: LoadOptions) -> str:
    """It has no parameters."""
    return "none"


def load(options: LoadOptions) -> Encoder:
    """There is nothing to load."""
    return ColorEncoder(Provenance(NAME, checkpoint(options), "final", PREPROCESSING, DIM))


class ColorEncoder:
    """(n, 3, 64, 64) uint8 -> (n, 512) unit rows."""

    device = "cpu"

    def __init__(self, provenance: Provenance) -> None:
        self.provenances = (provenance,)
        self.prepare = Squash(SIDE)

    def encode(self, batch: Tensor) -> Float32Rows:
        """The square roots of the shares of the colours, (n, 512) float32."""
        import torch

        with torch.inference_mode():
            pixels = batch.flatten(2).transpose(1, 2).float() / 255  # (n, pixels, 3)
            shares = histogram(lab(pixels))
            return cast(Float32Rows, shares.sqrt().numpy())

    def encode_text(self, texts: Sequence[str]) -> Float32Rows:
        """Raises DedupError: a histogram knows no words."""
        raise no_text(NAME)


def lab(rgb: Tensor) -> Tensor:
    """(..., 3) sRGB from 0 to 1 -> (..., 3) CIE L*a*b* (D65)."""
    import torch

    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    relative = linear @ torch.tensor(XYZ).T / torch.tensor(WHITE)
    roots = torch.where(relative > (6 / 29) ** 3, relative.pow(1 / 3), relative * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = roots.unbind(-1)
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), dim=-1)


def histogram(colours: Tensor) -> Tensor:
    """(n, pixels, 3) L*a*b* -> (n, 512) shares that sum to 1; a colour between bins counts for both sides."""
    import torch

    low, high, bins = torch.tensor(LOW), torch.tensor(HIGH), torch.tensor(BINS)
    places = ((colours - low) / (high - low) * bins - 0.5).clamp(min=0).minimum(bins - 1.0)
    floor = places.floor().long()
    above = places - floor
    counts = torch.zeros(len(colours), DIM)
    for corner in range(8):
        up = torch.tensor([corner >> 2 & 1, corner >> 1 & 1, corner & 1])
        weight = torch.where(up == 1, above, 1 - above).prod(dim=-1)
        at = (floor + up).minimum(bins - 1)
        number = (at[..., 0] * BINS[1] + at[..., 1]) * BINS[2] + at[..., 2]
        counts.scatter_add_(1, number, weight)
    return counts / counts.sum(dim=1, keepdim=True)
