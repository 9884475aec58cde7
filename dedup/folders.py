"""Understand a folder however it was typed, pasted or dragged into the terminal."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dedup.errors import DedupError
from dedup.scan import real_folder


def understand_folder(text: str) -> Path:
    """The existing folder meant by the text; raises DedupError saying what is wrong with it.

    Takes quotes, ``~``, trailing slashes, ``file://`` addresses, escaped spaces of a
    drag and drop, and the ``& '...'`` of PowerShell. The text as it stands is tried first.
    """
    readings = [] if "\0" in text else list(_readings(text))
    if not readings:
        raise DedupError("No folder was given.", "Type or paste the path of a folder with pictures.")
    for reading in readings:
        if os.path.isdir(reading):
            return real_folder(reading)
    # None exists: explain the plainest reading, quotes and spaces around it left out.
    return real_folder(next((reading for reading in readings if os.path.exists(reading)), readings[-1]))


def _readings(text: str) -> Iterator[str]:
    """What the text may mean, the most literal first, never an empty path."""
    for form in _forms(text):
        if form.startswith("file://"):
            form = _path_of_address(form)
        if form.strip():
            yield os.path.expanduser(form)


def _forms(text: str) -> Iterator[str]:
    yield text
    bare = text.strip()
    yield from _unescaped(text.lstrip())
    yield bare
    yield from _unescaped(bare)
    bare = re.sub(r"^&\s+(?=['\"])", "", bare)
    if len(bare) >= 2 and bare[0] == bare[-1] and bare[0] in "'\"":
        inner = bare[1:-1]
        yield inner
        yield inner.replace(bare[0] * 2, bare[0])  # PowerShell doubles a quote within quotes
    yield bare.strip("'\"")


def _unescaped(text: str) -> Iterator[str]:
    """One shell word: a path with escaped spaces, or one whose spaces were never escaped."""
    try:
        words = shlex.split(text)
    except ValueError:
        return
    if words:
        yield words[0] if len(words) == 1 else " ".join(words)


def _path_of_address(address: str) -> str:
    try:
        return unquote(urlsplit(address).path)
    except ValueError:
        return ""
