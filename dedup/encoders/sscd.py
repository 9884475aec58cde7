"""SSCD, Meta's descriptor for copy detection (Pizzi et al., CVPR 2022), from its TorchScript file.

The model disc_mixup: a ResNet-50 with GeM pooling, 512 numbers. Weights under the MIT licence.
"""

from __future__ import annotations

import io
import os
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dedup import settings
from dedup.encoders.device import choose_device
from dedup.encoders.files import digest_of, fetch, server_answers
from dedup.encoders.interface import Encoder, LoadOptions
from dedup.encoders.network import NetworkEncoder, Scaling
from dedup.encoders.preprocess import IMAGENET_MEAN, IMAGENET_STD, Squash
from dedup.errors import WeightsUnavailable
from dedup.permissions import make_folder

if TYPE_CHECKING:
    from torch import Tensor

NAME = "sscd"
DIM = 512
PREPROCESSING = 1
FILE = "sscd_disc_mixup.torchscript.pt"
ADDRESS = "https://dl.fbaipublicfiles.com/sscd-copy-detection/" + FILE
ADDRESS_VARIABLE = "DEDUP_SSCD_ADDRESS"  # for a mirror
# Its authors train at 224 and recommend 288 for use; a square lets pictures share a batch.
SIDE = 288


def available() -> bool:
    """Whether the file was downloaded before, and wholly."""
    try:
        return _receipt().read_text(encoding="ascii") == str(_kept().stat().st_size)
    except (OSError, ValueError):
        return False


def checkpoint(options: LoadOptions) -> str:
    """The digest of the file that would be loaded; "" when it is not here."""
    return digest_of([options.weights or _kept()]) if options.weights or available() else ""


def load(options: LoadOptions) -> Encoder:
    """The network on the chosen device: (n, 3, 288, 288) uint8 -> (n, 512) unit rows; raises WeightsUnavailable."""
    weights = options.weights or _kept()
    if not options.weights and not available():
        _download(weights)
    device = choose_device(options.device)
    network = _network(weights, device)

    def forward(pixels: Tensor) -> tuple[Tensor, ...]:
        return (network(pixels),)

    made_by = NAME, digest_of([weights]), PREPROCESSING
    scaling = Scaling(IMAGENET_MEAN, IMAGENET_STD)
    try:
        return NetworkEncoder(made_by, ("final",), forward, Squash(SIDE), scaling, device, channels_last=True)
    except (RuntimeError, AttributeError, IndexError) as problem:
        raise _not_it(weights) from problem


def _network(weights: Path | io.BytesIO, device: str) -> Any:
    import torch

    try:
        # A TorchScript file holds a program for torch's own interpreter, not for Python's.
        return torch.jit.load(weights, map_location=device).eval()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError, OSError) as problem:
        raise _not_it(weights) from problem


def _not_it(weights: Path | io.BytesIO) -> WeightsUnavailable:
    return WeightsUnavailable(f"{weights} is not SSCD's TorchScript file.", f"Give the file from {ADDRESS}")


def _kept() -> Path:
    return settings.home() / "weights" / FILE


def _receipt() -> Path:
    """Written last, once the file is all there: its size in bytes. A disk may have filled up before."""
    return _kept().with_suffix(".size")


def _download(target: Path) -> None:
    address = os.environ.get(ADDRESS_VARIABLE, ADDRESS)
    unavailable = WeightsUnavailable(
        f"The weights of sscd ({address}) are not on this machine and could not be downloaded.",
        "Connect to the network once, give the file with --weights, or use efficientnet-lite0 (no download).",
    )
    if not server_answers(address):
        raise unavailable
    try:
        data = fetch(address)
        _network(io.BytesIO(data), "cpu")
    except (OSError, ValueError, HTTPException, WeightsUnavailable) as problem:
        raise unavailable from problem
    try:
        make_folder(target.parent)
        target.write_bytes(data)
        _receipt().write_text(str(len(data)), encoding="ascii")
    except OSError as problem:
        raise WeightsUnavailable(
            f"The weights of sscd cannot be kept in {target.parent}: {problem.strerror or problem}.",
            "Free some space there, or let DEDUP_HOME name another place.",
        ) from problem
