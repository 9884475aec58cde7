"""CLIP and DINOv3 through transformers, from a local folder, the hub's cache or the hub.

Preprocessing follows the checkpoint's own preprocessor_config.json, read here: the
image processors of transformers are not used.
"""

from __future__ import annotations

import hashlib
import json
import socket
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit
from urllib.request import getproxies

from dedup.encoders.device import choose_device, hide_unusable_torchvision
from dedup.encoders.interface import Encoder, Float32Rows, LoadOptions, Prepare
from dedup.encoders.preprocess import ShortestEdgeCrop, Squash
from dedup.errors import WeightsUnavailable
from dedup.provenance import Provenance

if TYPE_CHECKING:
    from torch import Tensor

PREPROCESSING = 1
SECONDS_FOR_THE_HUB = 4.0
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model on the hub: our name for it, its id there, its class in transformers, and whether it is gated."""

    name: str
    hub_id: str
    model_class: str
    gated: bool = False


def available(checkpoint: Checkpoint) -> bool:
    """Whether the weights are in the hub's cache on this machine."""
    if find_spec("huggingface_hub") is None:
        return False
    from huggingface_hub import try_to_load_from_cache

    return any(
        isinstance(try_to_load_from_cache(checkpoint.hub_id, name), str)
        for name in ("model.safetensors", "pytorch_model.bin")
    )


def load(checkpoint: Checkpoint, options: LoadOptions) -> Encoder:
    """The image tower on the chosen device; raises WeightsUnavailable with the remedy."""
    source = str(options.weights) if options.weights else checkpoint.hub_id
    try:
        hide_unusable_torchvision()
        import transformers

        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        model_class = getattr(transformers, checkpoint.model_class)
    except (ImportError, AttributeError) as problem:
        raise WeightsUnavailable(
            f"{checkpoint.name} needs the package transformers in a version that has it.",
            "Run: pip install -r requirements.txt",
        ) from problem
    # The cache first, so that a machine without a network never waits for one.
    for local_only in (True, False):
        if not local_only and (options.weights or not hub_answers()):
            break
        try:
            model = _whole_model(model_class, source, local_only)
            config = _preprocessor_config(source, local_only)
            return VisionTransformer(checkpoint, model, config, options)
        except Exception as problem:  # hub, file, format and network errors share no base class
            cause = problem
    raise _unavailable(checkpoint, options) from cause


def checkpoint_of(checkpoint: Checkpoint, options: LoadOptions) -> str:
    """The digest of a local copy, or the commit in the hub's cache; "" when neither is here."""
    if options.weights:
        return _digest_of_folder(options.weights)
    if find_spec("huggingface_hub") is None:
        return ""
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(checkpoint.hub_id, "config.json")
    return Path(config).parent.name if isinstance(config, str) else ""


def _whole_model(model_class: Any, source: str, local_only: bool) -> Any:
    """The model with every weight from the checkpoint: what is missing would be filled with random numbers."""
    model, info = model_class.from_pretrained(source, local_files_only=local_only, output_loading_info=True)
    absent = [*info["missing_keys"], *info["mismatched_keys"]]
    if absent:
        raise ValueError(f"{len(absent)} weights are missing from {source}")
    return model


def hub_answers() -> bool:
    """Whether the hub can be reached: asked once and briefly, where its own client would try for half a minute."""
    from huggingface_hub import constants
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()
    if constants.HF_HUB_OFFLINE:
        return False
    if getproxies():
        return True  # only the client knows the way through a proxy
    address = urlsplit(constants.ENDPOINT)
    try:
        with socket.create_connection((address.hostname or "", address.port or 443), SECONDS_FOR_THE_HUB):
            return True
    except OSError:
        return False


class VisionTransformer:
    """The image embedding of a CLIP or DINO checkpoint, final or of the last hidden layer."""

    def __init__(self, checkpoint: Checkpoint, model: Any, config: dict[str, Any], options: LoadOptions) -> None:
        self._device = choose_device(options.device)
        self._model = model.eval().to(self._device)
        self._layer = options.kind or "final"
        self.prepare, mean, std = _preprocessing(config)
        import torch

        self._mean = torch.tensor(mean, device=self._device).view(1, 3, 1, 1)
        self._std = torch.tensor(std, device=self._device).view(1, 3, 1, 1)
        blank = torch.zeros((1, 3, self.prepare.size, self.prepare.size), dtype=torch.uint8)
        self.provenance = Provenance(
            checkpoint.name, _revision(model, options), self._layer, PREPROCESSING, self.encode(blank).shape[1]
        )

    def encode(self, batch: Tensor) -> Float32Rows:
        """(n, 3, size, size) uint8 -> (n, dim) float32 unit rows."""
        import torch
        from torch.nn.functional import normalize

        with torch.inference_mode():
            pixels = batch.to(self._device, non_blocking=True).float().div_(255.0)
            rows = self._embed(pixels.sub_(self._mean).div_(self._std))
            return cast(Float32Rows, normalize(rows.float(), dim=1).cpu().numpy())

    def _embed(self, pixels: Tensor) -> Tensor:
        if not hasattr(self._model, "visual_projection"):
            return cast("Tensor", self._model(pixel_values=pixels).pooler_output)
        # The class token after the last layer norm; its projection is CLIP's final embedding.
        token = self._model.vision_model(pixel_values=pixels).pooler_output
        return cast("Tensor", self._model.visual_projection(token) if self._layer == "final" else token)


def loader(checkpoint: Checkpoint) -> partial[Encoder]:
    """``load`` for one checkpoint, as the registry wants it."""
    return partial(load, checkpoint)


def _preprocessor_config(source: str, local_only: bool) -> dict[str, Any]:
    path = Path(source) / "preprocessor_config.json"
    if not path.is_file():
        if Path(source).is_dir():
            return {}
        from huggingface_hub import hf_hub_download

        path = Path(hf_hub_download(source, "preprocessor_config.json", local_files_only=local_only))
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return config


def _preprocessing(config: dict[str, Any]) -> tuple[Prepare, tuple[float, ...], tuple[float, ...]]:
    size = config.get("size", 224)
    size = {"shortest_edge": size} if isinstance(size, int) else size
    mode = {2: "bilinear", 3: "bicubic"}.get(config.get("resample", 3), "bicubic")
    prepare: Prepare
    if "shortest_edge" in size:
        crop = config.get("crop_size", size["shortest_edge"])
        prepare = ShortestEdgeCrop(size["shortest_edge"], crop if isinstance(crop, int) else crop["height"], mode)
    else:
        prepare = Squash(size["height"], mode)
    return prepare, tuple(config.get("image_mean", IMAGENET_MEAN)), tuple(config.get("image_std", IMAGENET_STD))


def _revision(model: Any, options: LoadOptions) -> str:
    """The hub's commit, or the digest of a local folder's weights."""
    if options.weights:
        return _digest_of_folder(options.weights)
    return str(getattr(model.config, "_commit_hash", None) or "unknown")


def _digest_of_folder(weights: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(weights.glob("*.safetensors")) + sorted(weights.glob("*.bin")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"sha256:{digest.hexdigest()[:16]}"


def _unavailable(checkpoint: Checkpoint, options: LoadOptions) -> WeightsUnavailable:
    if options.weights:
        return WeightsUnavailable(
            f"{options.weights} does not hold a {checkpoint.name} checkpoint.",
            "Give the folder that contains config.json and model.safetensors.",
        )
    if checkpoint.gated:
        return WeightsUnavailable(
            f"{checkpoint.name} needs access to its gated weights ({checkpoint.hub_id}), which could not be had.",
            "See QUICKSTART_DINOV3.md, or use efficientnet-lite0, which needs no download.",
        )
    return WeightsUnavailable(
        f"The weights of {checkpoint.name} ({checkpoint.hub_id}) are not on this machine and could not be downloaded.",
        "Connect to the network once, give a local copy with --weights, or use efficientnet-lite0 (no download).",
    )
