"""Every setting with its value and its help, to be changed one after the other."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial

from dedup import console, settings
from dedup.console import Back, choose
from dedup.encoders import HAMMING, spec, understand_parameters
from dedup.errors import DedupError
from dedup.menu.finding import understand_threshold
from dedup.menu.hashing import ask_model
from dedup.settings import BOUNDS, PER_ENCODER, Settings
from dedup.wording import printable


def change_settings() -> None:
    """Show every setting with its value and help, and change one after the other; Ctrl-C leaves."""
    shown = [name for name in BOUNDS if name not in ("last_folder", "kind")]
    name = shown[0]
    while True:
        current = settings.load()
        choices = [(f"{_label(one, current)}: {_value(current, one)}   ({BOUNDS[one].help})", one) for one in shown]
        name = choose("Settings (Ctrl-C: back)", choices, default=name)
        with suppress(Back):  # from a value back to the list
            if name == "encoder":
                settings.save(settings.load(ask_model(current.encoder)))
                continue
            change = partial(_changed, current, name)
            settings.save(console.ask_until(_label(name, current), _typed(current, name), change))


def _label(name: str, current: Settings) -> str:
    label = name.replace("_", " ")
    return f"{label} of {current.encoder}" if name in PER_ENCODER else label


def _value(current: Settings, name: str) -> str:
    value = getattr(current, name)
    automatic = value == "" or (value == getattr(Settings(), name) and value in (0, -1))
    return "automatic" if automatic else printable(f"{value:g}" if isinstance(value, float) else str(value))


def _typed(current: Settings, name: str) -> str:
    """A setting's value as a person would type it."""
    value = getattr(current, name)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _changed(current: Settings, name: str, text: str) -> Settings:
    """The settings with one changed; raises DedupError saying what is wrong with the text."""
    plain = text.strip().strip("'\"") if name == "weights" else text.strip()
    row = spec(current.encoder)
    if plain.lower() in ("", "automatic", "auto"):
        return replace(current, **{name: getattr(Settings(), name)})
    if name == "parameters":
        understand_parameters(plain, row.parameters, row.name)
    if name == "threshold" and plain != "-1":
        understand_threshold(plain, 65536 if row.metric == HAMMING else 1)
        plain = plain.replace(",", ".")
    kind = type(getattr(current, name))
    try:
        return settings.checked(replace(current, **{name: kind(plain)}))
    except ValueError:
        raise DedupError(f"{text} is not a number.", "Type a number.") from None
