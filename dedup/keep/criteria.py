"""The criteria by which a picture stays, each a small function with a name, a line of help and its sentence.

A rank is a number of which the smaller is the better; what a criterion cannot tell apart has equal ranks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from dedup.keep.headers import FEW_COLOURS, LOSSLESS, Headers
from dedup.store import Picture

# Names that file managers, browsers and phones give to copies. A plain number at the end is also what cameras count.
COPY_NAME = re.compile(r"(\(\d{1,3}\)|\bcopy(\s*\(?\d{1,3}\)?)?)$|^copy( \(?\d{1,3}\)?)? of ", re.IGNORECASE)


def no_number(number: int) -> float:
    """Nothing is known of any picture."""
    return 0.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a run's pictures beside their rows: their headers, and what looking at the pixels showed.

    ``is_enlarged`` and ``detail`` take the number of a picture: whether it was enlarged without gaining detail, and
    how exactly its finest detail agrees with its copies', 0 to 1.
    """

    headers: Headers
    is_enlarged: Callable[[int], bool | float] = no_number
    detail: Callable[[int], float] = no_number


@dataclass(frozen=True, slots=True)
class Places:
    """What the folder of a picture means: whether it is protected, its place among the preferred and the named."""

    protected: Callable[[Picture], bool]
    preferred: Callable[[Picture], int]
    named: Callable[[Picture], int]


Rank = Callable[[Picture, int, Places, Evidence], float]


@dataclass(frozen=True, slots=True)
class Criterion:
    """One reason to keep a picture. ``reason`` completes "kept: "."""

    name: str
    help: str
    reason: str
    rank: Rank


def _clearly_more_pixels(picture: Picture, number: int, places: Places, evidence: Evidence) -> float:
    return -round(math.log(max(1, picture.width * picture.height), 1.5))


def _better_format(picture: Picture, number: int, places: Places, evidence: Evidence) -> float:
    if picture.format in FEW_COLOURS:
        return 2
    return 0 if picture.format in LOSSLESS else 1


def _no_copy_suffix(picture: Picture, number: int, places: Places, evidence: Evidence) -> float:
    return COPY_NAME.search(PurePosixPath(picture.path).stem.strip()) is not None


CRITERIA: tuple[Criterion, ...] = (
    Criterion(
        "protected-folder",
        "it lies in a folder that never loses a file",
        "in the protected folder",
        lambda picture, number, places, evidence: not places.protected(picture),
    ),
    Criterion(
        "preferred-folder",
        "it lies in a preferred folder, the one named first before the others",
        "in the preferred folder",
        lambda picture, number, places, evidence: places.preferred(picture),
    ),
    Criterion(
        "most-pixels",
        "the largest width times height",
        "more pixels",
        lambda picture, number, places, evidence: -picture.width * picture.height,
    ),
    Criterion(
        "clearly-more-pixels",
        "the same in steps of half as many again, so that a slight crop or resizing decides nothing",
        "clearly more pixels",
        _clearly_more_pixels,
    ),
    Criterion(
        "not-upscaled",
        "it was not enlarged from something smaller, as far as its pixels tell",
        "not enlarged",
        lambda picture, number, places, evidence: evidence.is_enlarged(number),
    ),
    Criterion(
        "better-format",
        "a lossless format (PNG, TIFF, BMP ...) before JPEG, WebP, HEIC, and these before GIF",
        "a format that loses less",
        _better_format,
    ),
    Criterion(
        "full-colours",
        "any format but those of 256 colours (GIF, PCX)",
        "a format with all colours",
        lambda picture, number, places, evidence: picture.format in FEW_COLOURS,
    ),
    Criterion(
        "most-detail",
        "its finest detail is the one that its copies share most",
        "the detail its copies share",
        lambda picture, number, places, evidence: round(-evidence.detail(number), 2),
    ),
    Criterion(
        "least-compressed",
        "the finest steps in its JPEG tables; lossless formats before all",
        "less compressed",
        lambda picture, number, places, evidence: evidence.headers.step(picture),
    ),
    Criterion(
        "camera-metadata",
        "it says when and where it was taken (EXIF date, GPS)",
        "more of its camera's metadata",
        lambda picture, number, places, evidence: -evidence.headers.from_camera(picture),
    ),
    Criterion(
        "largest-file",
        "the most bytes",
        "larger file",
        lambda picture, number, places, evidence: -picture.size,
    ),
    Criterion(
        "oldest",
        "the file changed longest ago",
        "older file",
        lambda picture, number, places, evidence: picture.mtime_ns,
    ),
    Criterion(
        "newest",
        "the file changed last",
        "newer file",
        lambda picture, number, places, evidence: -picture.mtime_ns,
    ),
    Criterion(
        "first-folder",
        "the folder named first",
        "in the folder named first",
        lambda picture, number, places, evidence: places.named(picture),
    ),
    Criterion(
        "shortest-path",
        "the fewest letters in its path below the folder",
        "shorter path",
        lambda picture, number, places, evidence: len(picture.path),
    ),
    Criterion(
        "no-copy-suffix",
        "a name that is not a copy's, such as image (1) or Copy of image",
        "its name is not a copy's",
        _no_copy_suffix,
    ),
)

BY_NAME = {one.name: one for one in CRITERIA}
