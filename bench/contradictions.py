"""Pictures that a manifest holds under two labels that contradict each other.

A look-alike that is also there as a photo or as a labelled copy, at another size, is no look-alike of it: to
find the two would count as a fault. Such look-alikes are better left out, and named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scoring import LOOK_ALIKES

from dedup import images
from dedup.errors import DedupError

# Pictures are compared at 64 x 64, block by block of 8 x 8. Sizes and saves of one picture differ by up to 6 levels
# (root mean square) in their worst block; another frame of a video, a changed word or colour by 20 and more.
SIDE = 64
BLOCK = 8
SAME_LEVELS = 8.0

Pixels = np.ndarray[Any, np.dtype[np.float32]]


def contradictory(folder: Path, rows: Sequence[Mapping[str, str]]) -> set[str]:
    """The paths of the look-alikes among a manifest's rows that show the same as a photo or copy of their source."""
    found = set()
    for source in sorted({row.get("source", "") for row in rows}):
        mine = [row for row in rows if row.get("source", "") == source]
        alike = [row["path"] for row in mine if row["label"] in LOOK_ALIKES]
        others = [row["path"] for row in mine if row["label"] not in LOOK_ALIKES]
        if alike and others:
            known = np.array([pixels for _, pixels in _small(folder, others)])
            found |= {path for path, pixels in _small(folder, alike) if len(known) and shown_in(pixels, known)}
    return found


def shown_in(pixels: Pixels, known: Pixels) -> bool:
    """Whether a picture is one of the ``known``, which are (n, SIDE, SIDE, 3), but for its size and compression."""
    # Blocks that agree have means that agree: most pictures need no closer look.
    near = np.abs(known.mean(axis=(1, 2)) - pixels.mean(axis=(0, 1))).max(axis=1) < SAME_LEVELS
    squares = ((known[near] - pixels) ** 2).mean(axis=3)
    count = SIDE // BLOCK
    blocks = squares.reshape(-1, count, BLOCK, count, BLOCK).mean(axis=(2, 4))
    return bool((np.sqrt(blocks.max(axis=(1, 2))) < SAME_LEVELS).any())


def _small(folder: Path, paths: Iterable[str]) -> Iterator[tuple[str, Pixels]]:
    """(path, (SIDE, SIDE, 3) float32) of each picture that can be read."""
    for path in paths:
        try:
            image = images.open_upright(folder / path).image
        except DedupError:
            continue
        yield path, np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)
