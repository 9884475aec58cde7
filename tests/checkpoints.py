"""Tiny checkpoints with random weights for every encoder that has weights, in the form of the real ones.

Each is built once per run of pytest, in a folder of its own that goes away with the process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from conftest import PROJECT

from dedup import settings
from dedup.encoders import REGISTRY, Encoder, EncoderSpec, LoadOptions, interface, spec, sscd, xvlm
from dedup.encoders.device import hide_unusable_torchvision

# On networks as small as these, more threads only wait for each other, the longer the busier the machine.
torch.set_num_threads(1)

SIDE = 32
WORDS = "a photo of cat dog the red house by sea".split()
CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
HALF = [0.5, 0.5, 0.5]
SQUARE = {"height": SIDE, "width": SIDE}
# preprocessor_config.json of each family as on the hub, with smaller sizes.
PREPROCESSING: dict[str, dict[str, Any]] = {
    "clip": {
        "crop_size": SQUARE,
        "do_center_crop": True,
        "do_normalize": True,
        "do_resize": True,
        "image_mean": CLIP_MEAN,
        "image_processor_type": "CLIPImageProcessor",
        "image_std": CLIP_STD,
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"shortest_edge": SIDE},
    },
    # It crops nothing, and its file says so with nulls.
    "dinov3": {
        "crop_size": None,
        "data_format": "channels_first",
        "do_center_crop": None,
        "do_convert_rgb": None,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": IMAGENET_MEAN,
        "image_processor_type": "DINOv3ViTImageProcessorFast",
        "image_std": IMAGENET_STD,
        "resample": 2,
        "rescale_factor": 1 / 255,
        "size": SQUARE,
    },
    "dinov2": {
        "crop_size": SQUARE,
        "do_center_crop": True,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": IMAGENET_MEAN,
        "image_processor_type": "BitImageProcessor",
        "image_std": IMAGENET_STD,
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"shortest_edge": SIDE * 256 // 224},
    },
    "siglip": {
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": HALF,
        "image_processor_type": "SiglipImageProcessor",
        "image_std": HALF,
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": SQUARE,
    },
    "align": {
        "crop_size": {"height": 58, "width": 58},
        "do_center_crop": True,
        "do_normalize": False,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": HALF,
        "image_processor_type": "EfficientNetImageProcessor",
        "image_std": HALF,
        "include_top": False,
        "resample": 2,
        "rescale_factor": 1 / 127.5,
        "rescale_offset": True,
        "size": {"height": 69, "width": 69},
    },
    "flava": {
        "crop_size": SQUARE,
        "do_center_crop": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": CLIP_MEAN,
        "image_processor_type": "FlavaImageProcessor",
        "image_std": CLIP_STD,
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": SQUARE,
    },
}
_SMALL = {"num_hidden_layers": 2, "num_attention_heads": 2}
VISION = {"hidden_size": 32, "intermediate_size": 48, "image_size": SIDE, "patch_size": 8, **_SMALL}
TEXT = {"hidden_size": 16, "intermediate_size": 24, "vocab_size": 32, "max_position_embeddings": 80, **_SMALL}
_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def folder() -> Path:
    """A new folder that lasts as long as the process."""
    _KEPT.append(tempfile.TemporaryDirectory(prefix="dedup-tests-"))
    return Path(_KEPT[-1].name)


@cache
def tiny(family: str, seed: int = 1) -> Path:
    """The weights of a family as ``--weights`` takes them."""
    torch.manual_seed(seed)
    return BUILDERS[family](folder())


def family_of(row: EncoderSpec) -> str:
    """The family of a row's weights; "" when it needs none, or has its own installed."""
    if row.name in (sscd.NAME, xvlm.NAME):
        return row.name
    checkpoint = getattr(row.load, "args", ("",))[0]
    return getattr(checkpoint, "family", "")


def _real_weights(row: EncoderSpec) -> Path | None:
    """Where they are, if no cache finds them by itself: each test has another DEDUP_HOME."""
    return settings.home() / "weights" / sscd.FILE if row.name == sscd.NAME else None


def every_case() -> list[tuple[str, str, bool]]:
    """(row, kind, whether with its real weights): all rows run, and those whose weights are here with these too."""
    cases = []
    for row in REGISTRY:
        kinds = [*row.kinds, *([interface.BOTH] if len(row.kinds) > 1 else [])]
        real = [False] * bool(family_of(row)) + [True] * row.available()
        cases += [(row.name, kind, one) for one in real for kind in kinds]
    return cases


CASES = every_case()
REAL_WEIGHTS = {row.name: _real_weights(row) for row in REGISTRY}


@cache
def loaded(name: str, kind: str = "", real: bool = False) -> Encoder:
    """A row's encoder on the CPU, loaded once per run of pytest."""
    weights = REAL_WEIGHTS[name] if real else tiny(family_of(spec(name)))
    return spec(name).load(LoadOptions(kind=kind, weights=weights, device="cpu"))


def run_python(script: str, *paths: Path, timeout: float = 120, **env: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter that finds the packages of these folders first, knows no proxy and starts one thread."""
    around = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    around |= {"PYTHONPATH": os.pathsep.join(map(str, [*paths, PROJECT])), "OMP_NUM_THREADS": "1", **env}
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=around)


# -- building ---------------------------------------------------------------------------


def _transformers() -> Any:
    hide_unusable_torchvision()
    import transformers

    return transformers


def _saved(place: Path, family: str, model: Any, times: float = 4) -> Path:
    # The usual start, 0.02, makes embeddings that hardly depend on the picture, and less on the text.
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                parameter.mul_(3 * times if name.startswith("text_model") else times)
    model.eval().save_pretrained(place)
    (place / "preprocessor_config.json").write_text(json.dumps(PREPROCESSING[family]))
    return place


def _with_tokenizer(place: Path, tokens: str, length: int, inputs: list[str]) -> Path:
    """Adds a tokenizer that knows a few words; ``tokens`` pads, begins and ends."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    pad, begin, end = tokens.split()
    words = {word: number for number, word in enumerate(["<unk>", begin, end, *WORDS, *{pad} - {end}])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    single = f"{begin} $A {end}"
    tokenizer.post_processor = processors.TemplateProcessing(single, None, [(one, words[one]) for one in (begin, end)])
    fast = _transformers().PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        pad_token=pad,
        bos_token=begin,
        eos_token=end,
        model_max_length=length,
        model_input_names=inputs,
    )
    fast.save_pretrained(place)
    return place


def _clip(place: Path) -> Path:
    t = _transformers()
    text = {**TEXT, "max_position_embeddings": 12, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2}
    text_config, vision_config = t.CLIPTextConfig(**text).to_dict(), t.CLIPVisionConfig(**VISION).to_dict()
    config = t.CLIPConfig(text_config=text_config, vision_config=vision_config, projection_dim=16)
    _saved(place, "clip", t.CLIPModel(config))
    return _with_tokenizer(place, "<end> <start> <end>", 12, ["input_ids", "attention_mask"])


def _dinov3(place: Path) -> Path:
    t = _transformers()
    return _saved(place, "dinov3", t.DINOv3ViTModel(t.DINOv3ViTConfig(**VISION, num_register_tokens=2)))


def _dinov2(place: Path) -> Path:
    t = _transformers()
    return _saved(place, "dinov2", t.Dinov2Model(t.Dinov2Config(**VISION, mlp_ratio=2)))


def _siglip(place: Path) -> Path:
    t = _transformers()
    # Its embedding is as wide as its towers.
    text = t.SiglipTextConfig(
        **{**TEXT, "hidden_size": 32, "max_position_embeddings": 64}, pad_token_id=2, eos_token_id=2
    )
    config = t.SiglipConfig(text_config=text.to_dict(), vision_config=t.SiglipVisionConfig(**VISION).to_dict())
    _saved(place, "siglip", t.SiglipModel(config), 1)
    return _with_tokenizer(place, "<end> <start> <end>", 64, ["input_ids"])


def _align(place: Path) -> Path:
    t = _transformers()
    vision = t.AlignVisionConfig(
        image_size=58,
        width_coefficient=0.5,
        depth_coefficient=0.5,
        kernel_sizes=[3, 5],
        in_channels=[32, 16],
        out_channels=[16, 48],
        strides=[1, 2],
        num_block_repeats=[1, 2],
        expand_ratios=[1, 4],
    )
    text = t.AlignTextConfig(**TEXT)
    config = t.AlignConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=24)
    _saved(place, "align", t.AlignModel(config))
    return _with_tokenizer(place, "<pad> <start> <end>", 80, ["input_ids", "token_type_ids", "attention_mask"])


def _flava(place: Path) -> Path:
    t = _transformers()
    wide = {"hidden_size": 32}
    config = t.FlavaConfig(
        image_config=t.FlavaImageConfig(**VISION).to_dict(),
        text_config=t.FlavaTextConfig(**{**TEXT, **wide}).to_dict(),
        multimodal_config=t.FlavaMultimodalConfig(**wide, intermediate_size=24, **_SMALL).to_dict(),
        projection_dim=20,
        init_codebook=False,
        **wide,
    )
    _saved(place, "flava", t.FlavaModel(config))
    return _with_tokenizer(place, "<pad> <start> <end>", 77, ["input_ids", "token_type_ids", "attention_mask"])


class _SmallNetwork(torch.nn.Module):
    """Any square of pixels to 512 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(3, 8, 5, stride=4)
        self.second = torch.nn.Conv2d(8, 16, 3, stride=2)
        self.last = torch.nn.Linear(16 * 16, sscd.DIM)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        seen = torch.relu(self.second(torch.relu(self.first(pixels))))
        return self.last(torch.nn.functional.adaptive_avg_pool2d(seen, [4, 4]).flatten(1))


def _sscd(place: Path) -> Path:
    torch.jit.script(_SmallNetwork().eval()).save(str(place / sscd.FILE))
    return place / sscd.FILE


def _xvlm(place: Path) -> Path:
    import test_xvlm

    # The function under the fixture.
    made: test_xvlm.Tiny = test_xvlm.tiny.__wrapped__(SimpleNamespace(mktemp=lambda name: place))
    return made.repository


BUILDERS: dict[str, Callable[[Path], Path]] = {
    "clip": _clip,
    "dinov3": _dinov3,
    "dinov2": _dinov2,
    "siglip": _siglip,
    "align": _align,
    "flava": _flava,
    sscd.NAME: _sscd,
    xvlm.NAME: _xvlm,
}
