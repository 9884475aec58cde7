"""What a picture's file says about the picture: when and where it was taken, and what people noted about it.

Read from EXIF, IPTC and XMP within the file and from XMP sidecars beside it. Never raises, never writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from PIL import Image, ImageFile, IptcImagePlugin

from dedup import images, xmp
from dedup.companions import Beside

EXIF_IFD, GPS_IFD = 0x8769, 0x8825
TAKEN, OFFSET_TAKEN = 0x9003, 0x9011
RATING, XP_TITLE, XP_KEYWORDS = 0x4746, 0x9C9B, 0x9C9E
IPTC_TITLE, IPTC_KEYWORDS = (2, 5), (2, 25)
BEST_RATING = 5

_EXIF_TIME = re.compile(r"(\d{4}):(\d\d):(\d\d)[ T](\d\d:\d\d:\d\d)")
_XMP_ANGLE = re.compile(r"(\d+),(\d+(?:\.\d+)?)(?:,(\d+(?:\.\d+)?))?([NSEW])")


@dataclass(frozen=True, slots=True)
class Metadata:
    """When (ISO 8601) and where (degrees north, degrees east) a picture was taken, and what was noted about it."""

    taken: str = ""
    gps: tuple[float, float] | None = None
    rating: int | None = None
    keywords: tuple[str, ...] = ()
    title: str = ""


def read_metadata(path: Path) -> Metadata:
    """What a picture's file, and the sidecars beside it, say; empty where nothing is said or can be read."""
    return read_with(path, [one for one in Beside().files_of(path) if one.suffix.lower() == ".xmp"])


def read_with(path: Path, sidecars: Iterable[Path]) -> Metadata:
    """What a picture's file and these XMP sidecars say; the sidecars count first, since they are written later."""
    return merged([*(_from_xmp(_bytes_of(sidecar)) for sidecar in sidecars), *_within(path)])


def merged(several: Sequence[Metadata]) -> Metadata:
    """Each thing as the first says it that says anything of it; the keywords of all."""
    found: dict[str, Any] = {}
    for field in fields(Metadata):
        found[field.name] = next((value for one in several if (value := getattr(one, field.name))), field.default)
    found["keywords"] = tuple(dict.fromkeys(word for one in several for word in one.keywords))
    return Metadata(**found)


def as_packet(known: Metadata) -> bytes:
    """An XMP packet that says what is known."""
    values: dict[str, list[str]] = {}
    if known.taken:
        values["exif:DateTimeOriginal"] = values["photoshop:DateCreated"] = [known.taken]
    if known.gps is not None:
        values["exif:GPSLatitude"] = [_angle(known.gps[0], "NS")]
        values["exif:GPSLongitude"] = [_angle(known.gps[1], "EW")]
    if known.rating is not None:
        values["xmp:Rating"] = [str(known.rating)]
    if known.keywords:
        values["dc:subject"] = list(known.keywords)
    if known.title:
        values["dc:title"] = [known.title]
    return xmp.packet(values)


def _bytes_of(sidecar: Path) -> bytes:
    try:
        with open(sidecar, "rb") as file:
            return file.read(xmp.MOST_BYTES + 1)
    except (OSError, ValueError):
        return b""


def _within(path: Path) -> list[Metadata]:
    """What the file itself says: by EXIF, by XMP, by IPTC. Each may be damaged by itself."""
    found = []
    images.register_formats()
    # Decoders raise anything, as in images.decode; what cannot be opened says nothing.
    formats = [name for name in images.FORMATS if name in Image.OPEN]
    with suppress(Exception), Image.open(path, formats=formats) as image:
        for read in (_from_exif, _from_packet, _from_iptc):
            with suppress(Exception):
                found.append(read(image))
    return found


def _from_exif(image: ImageFile.ImageFile) -> Metadata:
    exif = image.getexif()
    inner = exif.get_ifd(EXIF_IFD)
    words = [word.strip() for word in _utf16(exif.get(XP_KEYWORDS)).split(";")]
    return Metadata(
        _exif_time(inner.get(TAKEN), inner.get(OFFSET_TAKEN)),
        _exif_place(exif.get_ifd(GPS_IFD)),
        _rating(exif.get(RATING)),
        tuple(word for word in words if word),
        _utf16(exif.get(XP_TITLE)).strip(),
    )


def _from_packet(image: ImageFile.ImageFile) -> Metadata:
    raw = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    return _from_xmp(raw.encode() if isinstance(raw, str) else bytes(raw))


def _from_iptc(image: ImageFile.ImageFile) -> Metadata:
    info: dict[tuple[int, int], Any] = IptcImagePlugin.getiptcinfo(image) or {}
    title, words = info.get(IPTC_TITLE, b""), info.get(IPTC_KEYWORDS, [])
    texts = [_text(word) for word in (words if isinstance(words, list) else [words])]
    return Metadata(keywords=tuple(text for text in texts if text), title=_text(title))


def _from_xmp(packet: bytes) -> Metadata:
    said = xmp.properties(packet)

    def first(*names: str) -> str:
        return next((said[name][0] for name in names if name in said), "")

    return Metadata(
        _iso_time(first("exif:DateTimeOriginal", "photoshop:DateCreated")),
        _place(_degrees(first("exif:GPSLatitude")), _degrees(first("exif:GPSLongitude"))),
        _rating(first("xmp:Rating")),
        tuple(dict.fromkeys(said.get("dc:subject", ()))),
        first("dc:title"),
    )


def _exif_time(value: object, offset: object) -> str:
    found = _EXIF_TIME.match(value) if isinstance(value, str) else None
    if found is None:
        return ""
    zone = offset if isinstance(offset, str) and re.fullmatch(r"[+-]\d\d:\d\d", offset) else ""
    return _iso_time(f"{found[1]}-{found[2]}-{found[3]}T{found[4]}{zone}")


def _iso_time(text: str) -> str:
    """A moment in ISO format; "" for what is none, such as the zeros of a camera whose clock was not set."""
    try:
        return datetime.fromisoformat(text).isoformat(timespec="seconds")
    except ValueError:
        return ""


def _exif_place(gps: dict[int, Any]) -> tuple[float, float] | None:
    def angle(reference: int, values: int, negative: str) -> float | None:
        if values not in gps:
            return None
        degrees, minutes, seconds = (float(part) for part in gps[values])
        sign = -1 if _text(gps.get(reference, "")).upper() == negative else 1
        return sign * (degrees + minutes / 60 + seconds / 3600)

    return _place(angle(1, 2, "S"), angle(3, 4, "W"))


def _degrees(text: str) -> float | None:
    found = _XMP_ANGLE.fullmatch(text)
    if found is None:
        return None
    value = float(found[1]) + float(found[2]) / 60 + float(found[3] or 0) / 3600
    return -value if found[4] in "SW" else value


def _place(north: float | None, east: float | None) -> tuple[float, float] | None:
    # Receivers without a fix write zeros, and what is no number compares with nothing.
    if north is None or east is None or (north, east) == (0, 0) or not (abs(north) <= 90 and abs(east) <= 180):
        return None
    return round(north, 7), round(east, 7)


def _angle(value: float, letters: str) -> str:
    degrees, minutes = divmod(round(abs(value) * 60, 6), 60)
    return f"{degrees:.0f},{minutes:.6f}{letters[value < 0]}"


def _rating(value: object) -> int | None:
    """One to five stars, -1 for rejected; None for none, which is also written as 0."""
    try:
        stars = int(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return stars if stars and -1 <= stars <= BEST_RATING else None


def _utf16(value: object) -> str:
    if isinstance(value, tuple):
        value = bytes(value)
    return value.decode("utf-16-le", "ignore").rstrip("\0") if isinstance(value, bytes) else ""


def _text(value: object) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.strip("\0 ")
