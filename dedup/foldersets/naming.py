"""The name under which a picture is laid out: its full path in one name that every file system takes."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path, PurePath

# What Windows, exFAT or a network share refuse in a name, and control characters.
_REFUSED = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f]')
# File systems allow 255 bytes; a little room is left for what tells equal names apart.
LONGEST = 240


def encoded(path: PurePath) -> str:
    """``/photos/vacation1.jpg`` -> ``photos_vacation1.jpg``: separators become underscores, the first is dropped.

    A name that would be too long loses its middle, which a digest of the whole path stands for.
    """
    text = path.as_posix().lstrip("/")
    name = _REFUSED.sub("_", re.sub(r"^([A-Za-z]):/", r"\1/", text))
    return name if len(os.fsencode(name)) <= LONGEST else _shortened(name, path)


def names_for(paths: Iterable[Path]) -> Iterator[str]:
    """A name for each path, no two alike even where upper and lower case are one: ``a_b.jpg``, ``a_b~2.jpg``."""
    taken: set[str] = set()
    for path in paths:
        name = encoded(path)
        stem, suffix = os.path.splitext(name)
        for number in count(2):
            folded = unicodedata.normalize("NFC", name).casefold()
            if folded not in taken:
                break
            name = f"{stem}~{number}{suffix}"
        taken.add(folded)
        yield name


def _shortened(name: str, path: PurePath) -> str:
    # The end says more than the beginning: it is the file's own name.
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
    head, tail = _first_bytes(name, 60), _last_bytes(name, LONGEST - 60 - len(digest) - 2)
    return f"{head}~{digest}~{tail}"


def _first_bytes(name: str, room: int) -> str:
    while len(os.fsencode(name)) > room:
        name = name[:-1]
    return name


def _last_bytes(name: str, room: int) -> str:
    while len(os.fsencode(name)) > room:
        name = name[1:]
    return name
