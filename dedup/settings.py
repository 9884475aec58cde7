"""Every choice a run needs, with its default, its bounds and one line of help.

Settings live in one JSON file in the user's configuration directory. ``DEDUP_HOME``
moves that file and everything else kept outside picture folders to one place.
"""

from __future__ import annotations

import json
import math
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from dedup.errors import DedupError

DEFAULT_ENCODER = "efficientnet-lite0"


@dataclass(frozen=True, slots=True)
class Settings:
    """The choices of a run. Zero means "chosen by the machine" where the help says so."""

    encoder: str = DEFAULT_ENCODER
    kind: str = ""
    threshold: float = 0.0
    batch_size: int = 0
    num_workers: int = -1
    max_megapixels: int = 100
    weights: str = ""
    last_folder: str = ""


@dataclass(frozen=True, slots=True)
class Bound:
    """The help of a setting and, for numbers, the closed interval it must lie in."""

    help: str
    low: float = -math.inf
    high: float = math.inf


BOUNDS: dict[str, Bound] = {
    "encoder": Bound("which encoder turns pictures into vectors"),
    "kind": Bound("which embedding of the encoder, where it has several (empty: its first)"),
    "threshold": Bound("similarity at or above which two pictures match (0: the encoder's own)", 0.0, 1.0),
    "batch_size": Bound("pictures encoded at once (0: the encoder's own); halved when memory runs out", 0, 4096),
    "num_workers": Bound("processes that decode pictures (-1: one per processor core)", -1, 64),
    "max_megapixels": Bound("larger pictures are not opened, to bound memory", 1, 2000),
    "weights": Bound("folder or file with the encoder's weights (empty: pip package, cache or hub)"),
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
    return settings


def load() -> Settings:
    """The saved settings; what is missing, unknown or of the wrong type takes its default."""
    try:
        saved: Any = json.loads((home() / "settings.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return Settings()
    if not isinstance(saved, dict):
        return Settings()
    settings = Settings()
    for field in fields(Settings):
        value: Any = saved.get(field.name)
        wanted = type(getattr(settings, field.name))
        if type(value) is wanted or (wanted is float and type(value) is int):
            with suppress(DedupError):
                settings = checked(replace(settings, **dict[str, Any]({field.name: value})))
    return settings


def save(settings: Settings) -> None:
    """Write the settings; a directory that cannot be written keeps the run's choices for the run."""
    try:
        home().mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(checked(settings)), indent=2)
        (home() / "settings.json").write_text(text, encoding="utf-8")
    except OSError:
        return
