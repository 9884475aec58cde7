"""Every choice a run needs, with its default, its bounds and one line of help.

Settings live in one JSON file in the user's configuration directory. ``DEDUP_HOME``
moves that file and everything else kept outside picture folders to one place.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dedup.errors import DedupError
from dedup.permissions import write_private

DEFAULT_ENCODER = "efficientnet-lite0"
# Surest first: equal pixels; the same picture in another file; edits of it; everything at the threshold.
TIERS_MARKED = ("exact", "same", "edited", "all")
# Where removed files go; "folder:" is followed by the folder.
DISPOSALS = ("trash", "system-trash", "hardlink", "reflink", "delete", "folder:DIR")


@dataclass(frozen=True, slots=True)
class Settings:
    """The choices of a run. Those of ``PER_ENCODER`` are kept for each encoder by itself."""

    encoder: str = DEFAULT_ENCODER
    kind: str = ""
    parameters: str = ""
    threshold: float = -1.0
    batch_size: int = 0
    weights: str = ""
    num_workers: int = -1
    max_megapixels: int = 100
    gpu_jpegs: bool = False
    last_folder: str = ""
    candidates: float = -1.0
    neighbours: int = 20
    mark: str = "same"
    disposal: str = "trash"
    keep: str = "largest"
    protected: tuple[str, ...] = ()
    preferred: tuple[str, ...] = ()
    across: tuple[str, ...] = ()


PER_ENCODER = ("kind", "parameters", "threshold", "candidates", "batch_size", "weights")


@dataclass(frozen=True, slots=True)
class Bound:
    """The help of a setting and, for numbers, the closed interval it must lie in."""

    help: str
    low: float = -math.inf
    high: float = math.inf


BOUNDS: dict[str, Bound] = {
    "encoder": Bound("which encoder turns pictures into vectors"),
    "kind": Bound("which embedding of the encoder, where it has several: final, hidden or both (empty: its first)"),
    "parameters": Bound("of a fingerprint, such as hash_size=16 (empty: its own)"),
    "threshold": Bound(
        "the similarity, or for fingerprints the differing bits, at which pictures match (-1: the encoder's own)",
        -1.0,
        65536.0,
    ),
    "candidates": Bound(
        "from which similarity, or up to how many differing bits, pairs are verified (-1: the encoder's own)",
        -1.0,
        65536.0,
    ),
    "batch_size": Bound("pictures encoded at once (0: found for the device); halved when memory runs out", 0, 4096),
    "num_workers": Bound("processes that decode pictures (-1: one per processor core)", -1, 64),
    "max_megapixels": Bound("larger pictures are not opened, to bound memory", 1, 2000),
    "gpu_jpegs": Bound("decode JPEGs on the GPU (nvJPEG), where torchvision can; needs CUDA"),
    "neighbours": Bound("how many nearest pictures of each are verified below the threshold", 0, 10000),
    "mark": Bound("what may be marked for removal: exact, same, edited or all"),
    "disposal": Bound("where removed files go: trash, system-trash, hardlink, reflink, delete or folder:DIR"),
    "keep": Bound("which picture of a set stays: largest, best, or criteria of your own in their order"),
    "protected": Bound("folders that never lose a file, their subfolders included"),
    "preferred": Bound("folders whose pictures stay before others, the first before the second"),
    "across": Bound("folders within which pictures are not compared, only with what lies outside"),
    "weights": Bound("folder or file with the encoder's weights (empty: pip package, cache or download)"),
    "last_folder": Bound("the folder offered first in the menu"),
}


def home() -> Path:
    """The directory for settings and for everything kept outside picture folders."""
    if override := os.environ.get("DEDUP_HOME"):
        return Path(override)
    from platformdirs import user_data_path  # loaded late: the menu starts without it

    return user_data_path("dedup", appauthor=False)


def checked(settings: Settings) -> Settings:
    """The same settings; raises DedupError naming the first one out of its bounds."""
    for name, bound in BOUNDS.items():
        value = getattr(settings, name)
        if isinstance(value, int | float) and not bound.low <= value <= bound.high:
            raise DedupError(
                f"The setting {name} must lie between {bound.low:g} and {bound.high:g}, not {value}.",
                "Choose another value.",
            )
    if settings.mark not in TIERS_MARKED:
        raise DedupError(
            f"The setting mark must be one of {', '.join(TIERS_MARKED)}, not {settings.mark}.", "Choose one of them."
        )
    if not is_disposal(settings.disposal):
        raise DedupError(
            f"The setting disposal must be one of {', '.join(DISPOSALS)}, not {settings.disposal}.",
            "Choose one of them, with a folder of yours for DIR.",
        )
    return settings


def is_disposal(words: str) -> bool:
    """Whether this names a place for removed files."""
    if words.startswith("folder:"):
        return bool(words.removeprefix("folder:").strip())
    return words in DISPOSALS


def load(encoder: str = "") -> Settings:
    """The saved settings of an encoder (of the one saved last without a name).

    What is missing, unknown or of the wrong type takes its default.
    """
    saved = _saved()
    settings = _with_valid(Settings(), saved, [name for name in BOUNDS if name not in PER_ENCODER])
    if encoder:
        settings = replace(settings, encoder=encoder)
    return _with_valid(settings, _own(saved, settings.encoder), PER_ENCODER)


def save(settings: Settings) -> None:
    """Write the settings; a directory that cannot be written keeps the run's choices for the run."""
    chosen = asdict(checked(settings))
    own = {name: chosen.pop(name) for name in PER_ENCODER}
    before = _saved()
    others = {name: _own(before, name) for name in _encoders(before)}
    chosen["encoders"] = {**others, settings.encoder: own}
    try:
        write_private(home() / "settings.json", json.dumps(chosen, indent=2).encode())
    except OSError:
        return


def _saved() -> dict[str, Any]:
    try:
        saved: Any = json.loads((home() / "settings.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return saved if isinstance(saved, dict) else {}


def require_folders() -> None:
    """Raises DedupError where the saved settings cannot be understood and may name folders to be protected."""
    path = home() / "settings.json"
    try:
        saved: Any = json.loads(path.read_text(encoding="utf-8"))
        named = saved.get("protected", [])
        if isinstance(named, list) and all(isinstance(one, str) for one in named):
            return
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError, RecursionError, AttributeError):
        pass  # the sentence below says so
    raise DedupError(
        f"The settings in {path} cannot be understood, and they may name folders to be protected.",
        "Correct that file, or move it away; nothing was changed.",
    )


def _encoders(saved: dict[str, Any]) -> dict[str, Any]:
    """Encoder -> its own choices. The first files had one encoder, its choices beside the others."""
    own = saved.get("encoders")
    if isinstance(own, dict):
        return own
    flat = {name: saved[name] for name in PER_ENCODER if name in saved}
    if flat.get("threshold") == 0:
        del flat["threshold"]  # which meant "the encoder's own"
    return {str(saved.get("encoder", DEFAULT_ENCODER)): flat}


def _own(saved: dict[str, Any], encoder: str) -> dict[str, Any]:
    own = _encoders(saved).get(encoder)
    return own if isinstance(own, dict) else {}


def _with_valid(settings: Settings, saved: dict[str, Any], names: Iterable[str]) -> Settings:
    """The settings with those of the saved values that are of the right type and within bounds."""
    for name in names:
        value: Any = saved.get(name)
        wanted = type(getattr(settings, name))
        if wanted is tuple and isinstance(value, list) and all(isinstance(one, str) for one in value):
            value = tuple(value)
        if type(value) is wanted or (wanted is float and type(value) is int):
            with suppress(DedupError):
                settings = checked(replace(settings, **dict[str, Any]({name: value})))
    return settings
