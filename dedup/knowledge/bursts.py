"""Pictures of one burst: moments of their own, however alike they look."""

from __future__ import annotations

import re
from pathlib import Path

from dedup.knowledge.films import HEAD_BYTES

# 00007IMG_00007_BURST20201010120000123_COVER.jpg, IMG_20201010_120000_BURST7.jpg
_NAMED = re.compile(r"(?<![a-z])burst(\d{1,4})(?!\d)|(?P<moment>\d{1,6})_burst\d{5,}", re.IGNORECASE)
_XMP_BURST = re.compile(rb"GCamera:BurstID[^0-9A-Za-z]{1,3}([0-9A-Za-z-]{8,64})")
_APPLE_NOTE = b"Apple iOS\0"
_APPLE_BURST = 0x000B
_ASCII = 2


def different_moments(first: Path, second: Path) -> bool:
    """Whether two pictures are known to be of one burst, and not known to be the same moment of it."""
    one, two = _moment_named(first.stem), _moment_named(second.stem)
    if one and two:
        return one != two
    burst = burst_of(first)
    return bool(burst) and burst == burst_of(second)


def burst_of(path: Path) -> bytes:
    """What tells the burst a picture is of from all others, as its camera noted it; b"" for none."""
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD_BYTES)
    except (OSError, ValueError):
        return b""
    found = _XMP_BURST.search(head)
    return found[1] if found else _apple_burst(head)


def _moment_named(stem: str) -> str:
    found = _NAMED.search(stem)
    return (found["moment"] or found[1]).lstrip("0") or "0" if found else ""


def _apple_burst(head: bytes) -> bytes:
    """The burst's identifier in Apple's maker note: a big-endian directory of tags behind a header of 14 bytes."""
    start = head.find(_APPLE_NOTE)
    if start < 0:
        return b""
    note = head[start : start + 8192]
    for place in range(16, min(16 + 12 * int.from_bytes(note[14:16], "big"), len(note) - 12), 12):
        tag, kind = int.from_bytes(note[place : place + 2], "big"), int.from_bytes(note[place + 2 : place + 4], "big")
        length, offset = (int.from_bytes(note[place + 4 + i : place + 8 + i], "big") for i in (0, 4))
        if (tag, kind) == (_APPLE_BURST, _ASCII) and 8 < length <= 64:
            return note[offset : offset + length].rstrip(b"\0")
    return b""
