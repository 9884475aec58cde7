"""Every setting with its value and its help, to be changed one after the other."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from dedup import console, settings, workflow
from dedup.console import Back, choose, say
from dedup.encoders import HAMMING, EncoderSpec, spec, understand_parameters
from dedup.errors import DedupError
from dedup.menu.finding import understand_threshold
from dedup.menu.hashing import ask_model
from dedup.menu.keeping import POLICIES, change_folders, change_keep
from dedup.settings import BOUNDS, PER_ENCODER, Settings
from dedup.wording import printable

YES_OR_NO = {"yes": True, "y": True, "on": True, "no": False, "n": False, "off": False}


def change_settings() -> None:
    """Show every setting with its value and help, and change one after the other; Ctrl-C leaves."""
    name = "encoder"
    while True:
        current = settings.load()
        shown = _shown(spec(current.encoder))
        choices = [(f"{_label(one, current)}: {_value(current, one)}   ({BOUNDS[one].help})", one) for one in shown]
        name = choose("Settings (Ctrl-C: back)", choices, default=name)
        with suppress(Back):  # from a value back to the list
            if name == "encoder":
                settings.save(settings.load(ask_model(current.encoder)))
                continue
            if name == "keep":
                change_keep()
                continue
            if name in POLICIES:
                change_folders(name)
                continue
            for line in _explained(name, spec(current.encoder)):
                say(line)
            change = partial(_changed, current, name)
            settings.save(console.ask_until(_label(name, current), _typed(current, name), change))


def _shown(row: EncoderSpec) -> list[str]:
    """The settings that mean something for an encoder."""
    without = {"last_folder"}
    without |= {"kind"} if len(row.kinds) == 1 else set()
    without |= {"parameters"} if not row.parameters else set()
    without |= {"weights"} if row.where_weights_come_from == "-" else set()
    return [name for name in BOUNDS if name not in without]


def _explained(name: str, row: EncoderSpec) -> list[str]:
    """What a setting means, in full."""
    lines = [f"{name.replace('_', ' ')}: {BOUNDS[name].help}"]
    if name == "parameters":
        lines += [f"  {one.name}: {one.help}, from {one.low} to {one.high}" for one in row.parameters]
    if name in ("threshold", "candidates"):
        lines.append(f"  {row.title} counts differing bits" if row.metric == HAMMING else "  a similarity from 0 to 1")
    return lines


def _label(name: str, current: Settings) -> str:
    label = name.replace("_", " ")
    return f"{label} of {current.encoder}" if name in PER_ENCODER else label


def _value(current: Settings, name: str) -> str:
    value = getattr(current, name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return printable(", ".join(value)) or "none"
    automatic = value == "" or (value == getattr(Settings(), name) and value in (0, -1))
    return "automatic" if automatic else printable(f"{value:g}" if isinstance(value, float) else str(value))


def _typed(current: Settings, name: str) -> str:
    """A setting's value as a person would type it."""
    return _value(current, name)


def _changed(current: Settings, name: str, text: str) -> Settings:
    """The settings with one changed; raises DedupError saying what is wrong with the text."""
    plain = text.strip().strip("'\"") if name == "weights" else text.strip()
    row = spec(current.encoder)
    if plain.lower() in ("", "automatic", "auto"):
        return replace(current, **{name: getattr(Settings(), name)})
    if name == "kind":
        row.layers(plain)
    if name == "weights" and not Path(plain).expanduser().exists():
        raise DedupError(f"There is nothing at {plain}.", "Give the folder or file that holds the weights.")
    if name == "parameters":
        understand_parameters(plain, row.parameters, row.name)
        # A number of bits means something else for a fingerprint of another length.
        current = replace(current, threshold=-1.0)
    if name in ("threshold", "candidates"):
        plain = str(understand_threshold(plain, workflow.length_of(current) if row.metric == HAMMING else 1))
    kind = type(getattr(current, name))
    if kind is bool:
        if plain.lower() not in YES_OR_NO:
            raise DedupError(f"{text} is neither yes nor no.", "Type yes or no.")
        return settings.checked(replace(current, **dict[str, Any]({name: YES_OR_NO[plain.lower()]})))
    try:
        return settings.checked(replace(current, **{name: kind(plain)}))
    except ValueError:
        raise DedupError(f"{text} is not a number.", "Type a number.") from None
