"""X-VLM (Zeng et al., ICML 2022): pictures and text in one space, from a local copy of its repository.

The repository's code is not run, it needs libraries of 2021: its configs say how to build the two
towers from transformers, a Swin transformer and the first layers of a BERT, and the checkpoint
fills them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dedup.encoders.device import choose_device
from dedup.encoders.files import digest_of
from dedup.encoders.hub import classes
from dedup.encoders.interface import Encoder, Float32Rows, LoadOptions
from dedup.encoders.network import NetworkEncoder, Scaling
from dedup.encoders.preprocess import Squash
from dedup.errors import DedupError, WeightsUnavailable

if TYPE_CHECKING:
    from torch import Tensor

NAME = "xvlm"
DIM = 256
PREPROCESSING = 1
SCALING = Scaling((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
PATCH = 4
VISION_CONFIGS = "config_swinB_*.json"
TEXT_CONFIG = "config_bert.json"
TOKENIZER = Path("data", "bert-base-uncased")
MAX_TOKENS = 40
CHECKPOINTS = ("*.th", "*.pth")
FOLDERS_DEEP = 3
# What training begins with, which the README has people put under data/.
NO_CHECKPOINT = "swin_base_patch4_window7_224_22k.pth"
BIAS_TABLE = "vision_encoder.layers.0.blocks.0.attn.relative_position_bias_table"
# From the names of a Swin transformer's parts at Microsoft to those of transformers 4, which later releases know too.
SWIN_NAMES = (
    ("patch_embed.proj.", "embeddings.patch_embeddings.projection."),
    ("patch_embed.norm.", "embeddings.norm."),
    ("layers.", "encoder.layers."),
    (".norm1.", ".layernorm_before."),
    (".norm2.", ".layernorm_after."),
    (".attn.proj.", ".attention.output.dense."),
    (".attn.", ".attention.self."),
    (".mlp.fc1.", ".intermediate.dense."),
    (".mlp.fc2.", ".output.dense."),
)
# Follow from the window size.
SWIN_BUFFERS = ("relative_position_index", "attn_mask")
# It was trained on captions without these.
PUNCTUATION = str.maketrans("-/", "  ", ",.'!?\"()*#:;~")

Weights = Mapping[str, "Tensor"]


def available() -> bool:
    """False: its weights are never here without --weights."""
    return False


def checkpoint(options: LoadOptions) -> str:
    """The digest of the checkpoint that would be loaded; "" when it is not here."""
    try:
        return _digest(*_found(options))
    except WeightsUnavailable:
        return ""


def load(options: LoadOptions) -> Encoder:
    """The image tower on the chosen device: (n, 3, h, h) uint8 -> (n, 256) unit rows; raises WeightsUnavailable."""
    path, repository = _found(options)
    device = choose_device(options.device)
    swin = classes(NAME, "SwinConfig", "SwinModel")
    try:
        weights = _weights(path)
        config = _vision_config(repository, weights)
        tower = _vision_tower(swin, config, weights).to(device)
        projection = _projection("vision_proj", tower.config.hidden_size, weights, device)
    except Exception as problem:  # files of other kinds and models of other shapes fail in many ways
        raise WeightsUnavailable(
            f"{path} does not hold an xvlm checkpoint that fits {repository / 'configs'}.",
            "Give one with a Swin transformer that X-VLM's README links, pre-trained or fine-tuned for retrieval.",
        ) from problem

    def forward(pixels: Tensor) -> tuple[Tensor, ...]:
        from torch.nn.functional import linear

        return (linear(tower(pixel_values=pixels).pooler_output, *projection),)

    made_by = NAME, _digest(path, repository), PREPROCESSING
    prepare = Squash(config["image_res"], "bicubic")
    text = _TextTower(path, repository, device)
    return NetworkEncoder(made_by, ("final",), forward, prepare, SCALING, device, compile_on_cpu=tower, text=text)


# -- finding ----------------------------------------------------------------------------


def _found(options: LoadOptions) -> tuple[Path, Path]:
    """(the checkpoint, the folder of the repository around it); raises WeightsUnavailable."""
    if options.weights is None:
        raise WeightsUnavailable(
            f"{NAME} needs a local copy of X-VLM's repository with a checkpoint in it.",
            "Give it with --weights, or use efficientnet-lite0, which needs no download.",
        )
    place = Path(os.path.abspath(options.weights))
    folders = [folder for folder in (place, *place.parents) if any((folder / "configs").glob(VISION_CONFIGS))]
    if not folders:
        raise WeightsUnavailable(
            f"{place} lies in no copy of X-VLM's repository, whose configs/{VISION_CONFIGS} {NAME} needs.",
            "Copy github.com/zengyan-97/X-VLM, put the checkpoint into it, and give its path with --weights.",
        )
    return _only_checkpoint(place), folders[0]


def _only_checkpoint(place: Path) -> Path:
    """The file itself, or the one checkpoint in a folder; raises WeightsUnavailable for none and for several."""
    if not place.is_dir():
        return place
    patterns = ["*/" * depth + name for depth in range(FOLDERS_DEEP + 1) for name in CHECKPOINTS]
    paths = [path for pattern in patterns for path in sorted(place.glob(pattern)) if path.name != NO_CHECKPOINT]
    if len(paths) == 1:
        return paths[0]
    if not paths:
        raise WeightsUnavailable(
            f"{place} holds no checkpoint for {NAME}.", f"Put one ({' or '.join(CHECKPOINTS)}) into it."
        )
    raise WeightsUnavailable(
        f"{place} holds {len(paths)} checkpoints, and {NAME} takes one.", f"Name one with --weights, such as {paths[0]}"
    )


def _digest(path: Path, repository: Path) -> str:
    """Of the checkpoint and of the configs that say how to use it; "" where it cannot be read."""
    return digest_of([path, *sorted((repository / "configs").glob(VISION_CONFIGS))])


# -- loading ----------------------------------------------------------------------------


def _weights(path: Path) -> Weights:
    """Every tensor of a checkpoint, on the CPU; raises many errors for other files."""
    import torch

    content = torch.load(path, weights_only=True, map_location="cpu")
    return cast(Weights, content.get("model", content))


def _vision_config(repository: Path, weights: Weights) -> dict[str, Any]:
    """The config with the checkpoint's window; raises KeyError or ValueError when none has it."""
    positions = len(weights[BIAS_TABLE])
    for path in sorted((repository / "configs").glob(VISION_CONFIGS)):
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if (2 * config["window_size"] - 1) ** 2 == positions:
            return config
    raise ValueError(f"no config has a window with {positions} relative positions")


def _vision_tower(swin: Sequence[Any], config: Mapping[str, Any], weights: Weights) -> Any:
    """The Swin transformer with the checkpoint's weights."""
    config_class, model_class = swin
    shape = {name: config[name] for name in ("embed_dim", "depths", "num_heads", "window_size")}
    described = config_class(image_size=config["image_res"], patch_size=PATCH, **shape)
    return _filled(model_class, described, _swin_weights(weights))


def _swin_weights(weights: Weights) -> dict[str, Tensor]:
    """The weights of the vision tower under transformers' names, queries, keys and values apart."""
    found: dict[str, Tensor] = {}
    for name, tensor in _part("vision_encoder.", weights).items():
        if name.endswith(SWIN_BUFFERS):
            continue
        for theirs, ours in SWIN_NAMES:
            name = name.replace(theirs, ours)
        if name.startswith("norm."):
            name = f"layer{name}"
        parts = zip(("query", "key", "value"), tensor.chunk(3), strict=True) if ".qkv." in name else [("", tensor)]
        found |= {name.replace("qkv", part): rows for part, rows in parts}
    return found


def _filled(model_class: Any, config: Any, weights: Weights, **options: Any) -> Any:
    """The model with exactly these weights; raises ValueError when some are missing or left over."""
    model, info = model_class.from_pretrained(
        None, config=config, state_dict=dict(weights), output_loading_info=True, **options
    )
    # transformers would fill gaps with random numbers. Some releases count buffers among them, which they compute.
    wrong = [*info["missing_keys"], *info["mismatched_keys"], *info["unexpected_keys"]]
    wrong = [name for name in wrong if not str(name).endswith(SWIN_BUFFERS)]
    if wrong:
        raise ValueError(f"{len(wrong)} weights are missing or left over")
    return model.eval()


def _projection(name: str, width: int, weights: Weights, device: str) -> tuple[Tensor, Tensor]:
    """((256, width) weights, (256,) bias) of a projection; raises KeyError or ValueError when there is none."""
    weight, bias = (weights[f"{name}.{part}"].float().to(device) for part in ("weight", "bias"))
    if weight.shape != (len(bias), width):
        raise ValueError(f"{name} does not fit its tower")
    return weight, bias


def _part(prefix: str, weights: Weights) -> dict[str, Tensor]:
    """The weights whose names begin so, without it."""
    return {name[len(prefix) :]: tensor.float() for name, tensor in weights.items() if name.startswith(prefix)}


# -- text -------------------------------------------------------------------------------


@dataclass(slots=True)
class _TextTower:
    """The text half of a checkpoint, loaded when it is first asked for."""

    checkpoint: Path
    repository: Path
    device: str
    loaded: list[Any] = field(default_factory=list)

    def __call__(self, texts: Sequence[str]) -> Float32Rows:
        """(n, 256) float32 unit rows; raises DedupError when the text half or the tokenizer is not there."""
        import torch
        from torch.nn.functional import linear, normalize

        if not self.loaded:
            self.loaded = [self._tokenizer(), *self._tower()]
        tokenizer, tower, projection = self.loaded
        plain = [text.translate(PUNCTUATION) for text in texts]
        tokens = tokenizer(plain, return_tensors="pt", padding=True, truncation=True, max_length=MAX_TOKENS)
        inputs = {name: tokens[name].to(self.device) for name in ("input_ids", "attention_mask")}
        with torch.inference_mode():
            # The first token stands for the whole text.
            rows = linear(tower(**inputs).last_hidden_state[:, 0], *projection)
            return cast(Float32Rows, normalize(rows, dim=1).cpu().numpy())

    def _tokenizer(self) -> Any:
        folder = self.repository / TOKENIZER
        (tokenizer_class,) = classes(NAME, "BertTokenizerFast")
        try:
            # Without its vocabulary some releases of transformers make an empty tokenizer.
            if not any((folder / name).is_file() for name in ("vocab.txt", "tokenizer.json")):
                raise FileNotFoundError(folder)
            # With nothing but vocab.txt there, some keep capitals.
            return tokenizer_class.from_pretrained(folder, local_files_only=True, do_lower_case=True)
        except Exception as problem:  # as for the weights
            raise DedupError(
                f"{folder} does not hold the tokenizer with which {NAME} reads text.",
                "Put the files of bert-base-uncased there (tokenizer.json, tokenizer_config.json, vocab.txt).",
            ) from problem

    def _tower(self) -> tuple[Any, tuple[Tensor, Tensor]]:
        """(the layers of BERT that see nothing but text, the projection)."""
        config_class, model_class = classes(NAME, "BertConfig", "BertModel")
        config = self.repository / "configs" / TEXT_CONFIG
        try:
            bert = json.loads(config.read_text(encoding="utf-8"))
            bert["num_hidden_layers"] = bert["fusion_layer"]
            weights = _weights(self.checkpoint)
            own = _bert_weights(weights, bert["fusion_layer"])
            tower = _filled(model_class, config_class(**bert), own, add_pooling_layer=False).to(self.device)
            return tower, _projection("text_proj", tower.config.hidden_size, weights, self.device)
        except Exception as problem:  # as for the image tower
            raise DedupError(
                f"{self.checkpoint} does not hold the text half of {NAME} that {config} describes.",
                "Give a checkpoint with BERT that X-VLM's README links, pre-trained or fine-tuned for retrieval.",
            ) from problem


def _bert_weights(weights: Weights, layers: int) -> dict[str, Tensor]:
    """The weights of the first layers of the text tower; those after them look at the picture too."""
    inside = any(name.startswith("text_encoder.bert.") for name in weights)
    kept = ("embeddings.", *(f"encoder.layer.{number}." for number in range(layers)))
    bert = _part("text_encoder.bert." if inside else "text_encoder.", weights)
    return {
        name: tensor for name, tensor in bert.items() if name.startswith(kept) and not name.endswith("position_ids")
    }
