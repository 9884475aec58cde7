"""What a camera wrote beside the pixels: when and where a picture was taken. Reads headers, never pixels."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from dedup.images import FORMATS, PNG_SIGNATURE, register_formats


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a file says of its picture: ``taken`` in ISO format, ``gps`` as (latitude, longitude) in degrees."""

    taken: str = ""
    gps: tuple[float, float] | None = None
    rating: int | None = None
    keywords: tuple[str, ...] = ()
    title: str = ""


def read_metadata(path: Path) -> Metadata:
    """The metadata of a picture file; nothing where it has none or cannot be read."""
    register_formats()
    try:
        with Image.open(path, formats=[name for name in FORMATS if name in Image.OPEN]) as image:
            exif = _exif_of_png(path) if image.format == "PNG" else image.getexif()
            return Metadata(_taken(exif.get_ifd(ExifTags.IFD.Exif)), _place(exif.get_ifd(ExifTags.IFD.GPSInfo)))
    except Exception:  # decoders raise anything; metadata that cannot be read is none
        return Metadata()


def _exif_of_png(path: Path) -> Image.Exif:
    """The EXIF block of a PNG, which often lies behind the pixels: Pillow would decode them all to find it."""
    exif = Image.Exif()
    with path.open("rb") as file:
        file.seek(len(PNG_SIGNATURE))
        while len(head := file.read(8)) == 8:
            length, kind = int.from_bytes(head[:4], "big"), head[4:]
            if kind == b"eXIf":
                exif.load(file.read(length))
                break
            file.seek(length + 4, os.SEEK_CUR)  # the checksum too
    return exif


def _taken(tags: dict[int, Any]) -> str:
    """The moment of exposure; when a file was changed says nothing of a camera."""
    for tag in (ExifTags.Base.DateTimeOriginal, ExifTags.Base.DateTimeDigitized):
        text = str(tags.get(tag, "")).strip("\0 ")
        try:
            return datetime.strptime(text[:19], "%Y:%m:%d %H:%M:%S").isoformat()
        except ValueError:
            continue  # spaces, or 0000:00:00 from a camera whose clock was never set
    return ""


def _place(tags: dict[int, Any]) -> tuple[float, float] | None:
    try:
        latitude = _degrees(tags[ExifTags.GPS.GPSLatitude], tags[ExifTags.GPS.GPSLatitudeRef], "S")
        longitude = _degrees(tags[ExifTags.GPS.GPSLongitude], tags[ExifTags.GPS.GPSLongitudeRef], "W")
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    # A camera without a fix writes zeros, or a fraction of nothing.
    sound = math.isfinite(latitude) and math.isfinite(longitude) and (latitude, longitude) != (0.0, 0.0)
    return (latitude, longitude) if sound else None


def _degrees(parts: Any, side: Any, negative: str) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    value = degrees + minutes / 60 + seconds / 3600
    return -value if str(side).strip("\0 ").upper() == negative else value
