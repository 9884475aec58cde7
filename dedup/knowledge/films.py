"""The film inside a motion photo, as Google's and Samsung's cameras write it behind the picture.

(Google: Motion Photo format 1.0, and its forerunner Micro Video. Samsung: a trailer that ends in SEFT.)
"""

from __future__ import annotations

import hashlib
import mmap
from pathlib import Path

HEAD_BYTES = 1 << 17
MAY_HOLD_FILMS = frozenset(".jpg .jpeg .jpe .jfif .heic .heif .hif .avif".split())
# How the file type box of a film begins; that of a HEIC picture names other brands.
FILM_BRANDS = (b"ftypmp4", b"ftypiso", b"ftypqt", b"ftypavc", b"ftyp3gp", b"ftypM4V")
FLAGS = (b"MotionPhoto", b"MicroVideo", b"Motion_Photo")


def film_within(path: Path) -> bytes:
    """The SHA-256 of the film inside a picture's file; b"" where there is none, or the file cannot be read."""
    if path.suffix.lower() not in MAY_HOLD_FILMS:
        return b""
    try:
        with open(path, "rb") as file:
            if not _may_hold_film(file.read(HEAD_BYTES), path):
                return b""
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
                starts = [place for brand in FILM_BRANDS if (place := whole.find(brand, 12)) >= 0]
                return hashlib.sha256(whole[min(starts) - 4 :]).digest() if starts else b""
    except (OSError, ValueError):
        return b""


def _may_hold_film(head: bytes, path: Path) -> bool:
    """Whether it is worth reading a file to its end: most say at their beginning that they hold a film."""
    if not head.startswith(b"\xff\xd8") or any(flag in head for flag in FLAGS):
        return True
    with open(path, "rb") as file:
        file.seek(-min(4, len(head)), 2)
        return file.read() == b"SEFT"
