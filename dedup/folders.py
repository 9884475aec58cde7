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
    if not text.strip():
        raise DedupError("No folder was given.", "Type or paste the path of a folder with pictures.")
    for candidate in _readings(text):
        if os.path.isdir(candidate):
            return real_folder(candidate)
    return real_folder(next(iter(_readings(text.strip().strip("'\"")))))


def _readings(text: str) -> Iterator[str]:
    bare = text.strip()
    bare = re.sub(r"^&\s+(?=['\"])", "", bare)
    forms = [text, bare]
    if len(bare) >= 2 and bare[0] == bare[-1] and bare[0] in "'\"":
        forms.append(bare[1:-1])
    else:
        forms.append(bare.strip("'\""))
    try:
        words = shlex.split(bare)
    except ValueError:
        words = []
    # One path with escapes, or one whose spaces were never escaped.
    forms += [words[0]] if len(words) == 1 else [" ".join(words)] if words else []
    for form in forms:
        if form.startswith("file://"):
            form = unquote(urlsplit(form).path)
        if form:
            yield os.path.expanduser(form)
