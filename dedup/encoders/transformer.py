"""The families of transformers: CLIP (and LAION's), DINOv2, DINOv3, SigLIP, ALIGN and FLAVA.

A family says which class holds the model and how an embedding is read from it; everything
else is the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from dedup.encoders import hub
from dedup.encoders.device import choose_device, is_out_of_memory
from dedup.encoders.hub import Checkpoint, Source
from dedup.encoders.interface import BOTH, Encoder, Float32Rows, LoadOptions
from dedup.encoders.network import NetworkEncoder
from dedup.encoders.preprocess import VERSION, from_config
from dedup.errors import DedupError, WeightsUnavailable

if TYPE_CHECKING:
    from torch import Tensor

PREPROCESSING = VERSION
UNKNOWN = "unknown"
TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "vocab.txt", "spiece.model", "tokenizer.model")
# Of models with two towers: the one for text, not needed for pictures.
TEXT_TOWERS = ("text_model", "text_projection", "text_to_mm_projection", "multimodal_model")


@dataclass(frozen=True, slots=True)
class Family:
    """How to get embeddings out of a kind of model.

    ``embed`` takes (model, (n, 3, h, w) pixels) and gives one (n, dim) tensor for each of the
    ``layers``. ``tokens`` are the tokenizer's arguments with which its text tower was trained;
    None: it has no text tower; ``lower_case``: it saw no capitals in training.
    """

    model_class: str
    embed: Callable[[Any, Tensor], tuple[Tensor, ...]]
    layers: tuple[str, ...] = ("final",)
    tokens: Mapping[str, Any] | None = None
    lower_case: bool = False
    convolutional: bool = False


def load(checkpoint: Checkpoint, options: LoadOptions) -> Encoder:
    """The image tower on the chosen device; raises WeightsUnavailable with the remedy."""
    family = FAMILIES[checkpoint.family]
    model, config, source = hub.load_model(checkpoint, family.model_class, options)
    device = choose_device(options.device)
    # Asked again: loading may have brought it here.
    made_by = checkpoint.name, hub.checkpoint_of(checkpoint, options) or UNKNOWN, PREPROCESSING
    for tower in TEXT_TOWERS:
        if family.tokens is not None and hasattr(model, tower):
            setattr(model, tower, None)
    model.to(device)
    names = family.layers if options.kind == BOTH else (options.kind or family.layers[0],)

    def forward(pixels: Tensor) -> tuple[Tensor, ...]:
        every = family.embed(model, pixels)
        return tuple(every[family.layers.index(name)] for name in names)

    text = _TextTower(checkpoint, family, source, device) if family.tokens is not None else None
    try:
        prepare, scaling = from_config(config)
        return NetworkEncoder(
            made_by,
            names,
            forward,
            prepare,
            scaling,
            device,
            channels_last=family.convolutional,
            compile_on_cpu=None if made_by[1] == UNKNOWN else model,
            text=text,
        )
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as problem:
        if is_out_of_memory(problem):
            raise
        raise WeightsUnavailable(
            f"The preprocessor_config.json of {checkpoint.name} in {source.place} does not fit its weights.",
            "Get the whole checkpoint again, with the config that belongs to it.",
        ) from problem


def loader(checkpoint: Checkpoint) -> partial[Encoder]:
    """``load`` for one checkpoint, as the registry wants it."""
    return partial(load, checkpoint)


@dataclass(slots=True)
class _TextTower:
    """The text half of a checkpoint, loaded when it is first asked for."""

    checkpoint: Checkpoint
    family: Family
    source: Source
    device: str
    loaded: list[Any] = field(default_factory=list)

    def __call__(self, texts: Sequence[str]) -> Float32Rows:
        """(n, dim) float32 unit rows."""
        import torch
        from torch.nn.functional import normalize

        if not self.loaded:
            self.loaded = [*self._load()]
        tokenizer, model = self.loaded
        plain = [text.lower() for text in texts] if self.family.lower_case else list(texts)
        try:
            tokens = tokenizer(plain, return_tensors="pt", truncation=True, **(self.family.tokens or {}))
        except (ValueError, TypeError, IndexError) as problem:  # such as: no token to fill up with
            raise DedupError(
                f"The tokenizer of {self.checkpoint.name} cannot read these words.",
                "Get the checkpoint's tokenizer files again.",
            ) from problem
        names = ("input_ids", "attention_mask") if "attention_mask" in tokens else ("input_ids",)
        with torch.inference_mode():
            rows = _features(model.get_text_features(**{name: tokens[name].to(self.device) for name in names}))
            return cast(Float32Rows, normalize(rows.float(), dim=1).cpu().numpy())

    def _load(self) -> tuple[Any, Any]:
        import transformers

        try:
            # Without the files of its tokenizer transformers makes one to which every word is unknown.
            if not hub.is_there(self.source, TOKENIZER_FILES):
                raise FileNotFoundError(self.source.place)
            kwargs = {"local_files_only": self.source.local_only}
            tokenizer = transformers.AutoTokenizer.from_pretrained(self.source.place, **kwargs)
            model_class = getattr(transformers, self.family.model_class)
            model = model_class.from_pretrained(self.source.place, **kwargs).eval()
        except Exception as problem:  # as when loading the image tower
            raise DedupError(
                f"The text half of {self.checkpoint.name} could not be loaded.",
                "Its folder must also hold the tokenizer's files (tokenizer.json, tokenizer_config.json).",
            ) from problem
        model.vision_model = model.image_model = None
        return tokenizer, model.to(self.device)


def _features(output: Any) -> Tensor:
    """The (n, dim) embedding in what a model's ``get_..._features`` returns, whatever the release."""
    rows = getattr(output, "pooler_output", output)
    # FLAVA projects every token: the first one stands for the whole.
    return cast("Tensor", rows[:, 0] if rows.ndim == 3 else rows)


def _image_features(model: Any, pixels: Tensor) -> tuple[Tensor, ...]:
    return (_features(model.get_image_features(pixel_values=pixels)),)


def _clip(model: Any, pixels: Tensor) -> tuple[Tensor, ...]:
    # The last hidden layer: the class token after the last layer norm. Projected it is the final embedding.
    token = model.vision_model(pixel_values=pixels).pooler_output
    return model.visual_projection(token), token


def _pooled(model: Any, pixels: Tensor) -> tuple[Tensor, ...]:
    return (model(pixel_values=pixels).pooler_output,)


FAMILIES: Mapping[str, Family] = {
    "clip": Family("CLIPModel", _clip, ("final", "hidden"), {"padding": True}),
    "dinov2": Family("Dinov2Model", _pooled),
    "dinov3": Family("DINOv3ViTModel", _pooled),
    "siglip": Family(
        "SiglipModel", _image_features, tokens={"padding": "max_length", "max_length": 64}, lower_case=True
    ),
    "align": Family(
        "AlignModel", _image_features, tokens={"padding": "max_length", "max_length": 64}, convolutional=True
    ),
    "flava": Family("FlavaModel", _image_features, tokens={"padding": "max_length", "max_length": 77}),
}
