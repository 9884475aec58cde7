"""Where the checkpoints of transformers come from: a local folder, the hub's cache, the hub."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dedup.encoders.device import hide_unusable_torchvision
from dedup.encoders.files import digest_of, server_answers
from dedup.encoders.interface import LoadOptions
from dedup.errors import WeightsUnavailable

# Read by these libraries when they are imported: they would tell their makers what is used, and one of them asks the
# hub in the background to convert older weights.
for _variable in ("HF_HUB_DISABLE_TELEMETRY", "DISABLE_TELEMETRY", "DO_NOT_TRACK", "DISABLE_SAFETENSORS_CONVERSION"):
    os.environ.setdefault(_variable, "1")

WEIGHT_FILES = ("*.safetensors", "*.bin")
CONFIGS = ("config.json", "preprocessor_config.json", "processor_config.json")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model on the hub: our name for it, its id there, its family, and whether it is gated.

    ``instead`` names what to use while the weights cannot be had.
    """

    name: str
    hub_id: str
    family: str
    gated: bool = False
    instead: str = "efficientnet-lite0, which needs no download"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a checkpoint was found: a folder or the id on the hub, and whether to stay off the network."""

    place: str
    local_only: bool


def available(checkpoint: Checkpoint) -> bool:
    """Whether the weights are in the hub's cache on this machine."""
    names = [name for kind in ("model.safetensors", "pytorch_model.bin") for name in (kind, f"{kind}.index.json")]
    return any(_cached(checkpoint, name) for name in names)


def checkpoint_of(checkpoint: Checkpoint, options: LoadOptions) -> str:
    """The digest of a local copy, or the commit in the hub's cache; "" when neither is here."""
    if options.weights:
        return _digest(options.weights)
    config = _cached(checkpoint, "config.json")
    return Path(config).parent.name if config else ""


def load_model(checkpoint: Checkpoint, class_name: str, options: LoadOptions) -> tuple[Any, dict[str, Any], Source]:
    """(the whole model on the CPU, its preprocessor config, where it was); raises WeightsUnavailable."""
    (model_class,) = classes(checkpoint.name, class_name)
    place = str(options.weights) if options.weights else checkpoint.hub_id
    reached = True
    # The cache first, so that a machine without a network never waits for one.
    for local_only in (True, False):
        if not local_only and (options.weights or not (reached := hub_answers())):
            break
        try:
            model = _whole_model(model_class, place, local_only)
            return model.eval(), _preprocessor_config(place, local_only), Source(place, local_only)
        except Exception as problem:  # hub, file, format and network errors share no base class
            cause = problem
    raise _unavailable(checkpoint, options, reached) from cause


def classes(encoder: str, *names: str) -> list[Any]:
    """These classes of transformers; raises WeightsUnavailable where they cannot be imported."""
    try:
        hide_unusable_torchvision()
        import transformers

        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        return [getattr(transformers, name) for name in names]
    except (ImportError, AttributeError) as problem:
        raise WeightsUnavailable(
            f"{encoder} needs the package transformers in a version that has it.",
            "Run: pip install -r requirements.txt",
        ) from problem


def is_there(source: Source, names: Sequence[str]) -> bool:
    """Whether a local folder holds one of these files; what the hub holds its client finds out."""
    place = Path(source.place)
    return not place.is_dir() or any((place / name).is_file() for name in names)


def hub_answers() -> bool:
    """Whether the hub can be reached: asked once and briefly, where its own client would try for half a minute."""
    from huggingface_hub import constants
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()
    return not constants.HF_HUB_OFFLINE and server_answers(constants.ENDPOINT)


def _cached(checkpoint: Checkpoint, name: str) -> str:
    if find_spec("huggingface_hub") is None:
        return ""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(checkpoint.hub_id, name)
    return found if isinstance(found, str) else ""


def _whole_model(model_class: Any, place: str, local_only: bool) -> Any:
    """The model with every weight from the checkpoint: what is missing would be filled with random numbers."""
    model, info = model_class.from_pretrained(place, local_files_only=local_only, output_loading_info=True)
    absent = [*info["missing_keys"], *info["mismatched_keys"]]
    if absent:
        raise ValueError(f"{len(absent)} weights are missing from {place}")
    return model


def _preprocessor_config(place: str, local_only: bool) -> dict[str, Any]:
    path = Path(place) / "preprocessor_config.json"
    if not path.is_file() and Path(place).is_dir():
        path = path.with_name("processor_config.json")  # where newer releases of transformers save it
    elif not path.is_file():
        from huggingface_hub import hf_hub_download

        path = Path(hf_hub_download(place, "preprocessor_config.json", local_files_only=local_only))
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return dict(config.get("image_processor", config))


def _digest(folder: Path) -> str:
    """Of the weights and of the configs that say how to use them; "" where there are no weights."""
    weights = [path for pattern in WEIGHT_FILES for path in sorted(folder.glob(pattern))]
    return digest_of([*weights, *(folder / name for name in CONFIGS if (folder / name).is_file())]) if weights else ""


def _unavailable(checkpoint: Checkpoint, options: LoadOptions, reached: bool) -> WeightsUnavailable:
    if options.weights:
        return WeightsUnavailable(*_not_in(options.weights, checkpoint.name))
    if checkpoint.gated and reached:
        return WeightsUnavailable(
            f"{checkpoint.name} needs access to its gated weights ({checkpoint.hub_id}), which could not be had.",
            f"See QUICKSTART_DINOV3.md, or use {checkpoint.instead}.",
        )
    access = " (QUICKSTART_DINOV3.md says how to get access)" if checkpoint.gated else ""
    gated = "gated " if checkpoint.gated else ""
    return WeightsUnavailable(
        f"The {gated}weights of {checkpoint.name} ({checkpoint.hub_id}) are not on this machine and "
        + ("could not be downloaded." if reached else "the hub cannot be reached."),
        f"Connect to the network once{access}, give a local copy with --weights, or use {checkpoint.instead}.",
    )


def _not_in(weights: Path, name: str) -> tuple[str, str]:
    """(what is wrong with a local copy, what to do)."""
    remedy = "Give the folder that contains config.json, preprocessor_config.json and model.safetensors."
    if not weights.exists():
        return f"There is nothing at {weights}, where {name} was to be.", remedy
    try:
        kind = json.loads((weights / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError, RecursionError):
        kind = None
    described = f" (its config.json describes {kind})" if isinstance(kind, str) else ""
    return f"{weights} does not hold a whole {name} checkpoint{described}.", remedy
