"""The user's own pictures: a random sample to make copies of, and as many as there are to find false matches among."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dedup import comparison, decoding
from dedup.encoders import Float32Rows
from dedup.encoders.interface import Prepare
from dedup.errors import DedupError
from dedup.progress import Progress, Report
from dedup.provenance import Provenance
from dedup.scan import FileFacts
from dedup.settings import Settings
from dedup.store import Catalogue, has_database
from dedup.vectors import Vectors, from_blob, to_blob
from dedup.verifier import FLAT_CONTRAST

FEWEST = 10
# Pairs grow with the square: these make 200 million, compared in a minute or so.
MOST_COMPARED = 20_000
READ_AT_ONCE = 8
Encode = Callable[[np.ndarray[Any, np.dtype[np.uint8]]], Float32Rows]


@dataclass(frozen=True, slots=True)
class Own:
    """Pictures of the user's, no two of the same bytes, none nearly blank: vector i is of the file paths[i]."""

    paths: list[Path]
    vectors: Vectors


def take_sample(
    root: Path, files: Sequence[FileFacts], prepare: Prepare, wanted: int, seed: int, settings: Settings, report: Report
) -> tuple[list[Path], np.ndarray[Any, np.dtype[np.uint8]]]:
    """(paths, prepared pixels) of up to ``wanted`` pictures at random; raises DedupError when there are too few."""
    shuffled = random.Random(seed).sample(list(files), len(files))
    paths: list[Path] = []
    pixels = []
    seen: set[bytes | None] = set()
    decoded = decoding.batches(
        root,
        shuffled,
        prepare,
        batch_size=READ_AT_ONCE,
        num_workers=decoding.default_workers() if settings.num_workers < 0 else settings.num_workers,
        max_megapixels=settings.max_megapixels,
    )
    with closing(decoded):  # type: ignore[type-var]  # a generator, which lets go of its workers
        for one in (one for batch in decoded for one in batch):
            if one.pixels is not None and one.item.contrast >= FLAT_CONTRAST and one.item.digest not in seen:
                seen.add(one.item.digest)
                paths.append(root / one.item.path)
                pixels.append(one.pixels)
                report(Progress("pictures read", len(paths), wanted))
            if len(paths) == wanted:
                break
    refuse_too_few(root, len(paths))
    return paths, np.stack(pixels)


def refuse_too_few(root: Path, count: int) -> None:
    """Raises DedupError when so many pictures are too few to measure anything on."""
    if count < FEWEST:
        raise DedupError(
            f"{root} holds {count} different pictures that can be read and are not nearly blank, and calibrating "
            f"needs at least {FEWEST}.",
            "Name a folder with more pictures.",
        )


def indexed_pictures(root: Path, made_by: Provenance, seed: int, report: Report) -> Own | None:
    """What the folder's database holds of this set, up to 20,000 pictures at random; None where it holds nothing."""
    if not has_database(root):
        return None
    with Catalogue(root) as store:
        gathered = comparison.gather([store], made_by, report)
    numbers = {picture.digest: at for at, picture in enumerate(gathered.pictures) if picture.contrast >= FLAT_CONTRAST}
    chosen = random.Random(seed).sample(sorted(numbers.values()), min(MOST_COMPARED, len(numbers)))
    return Own([gathered.pictures[at].full_path for at in chosen], gathered.vectors.take(chosen)) if chosen else None


def as_stored(rows: Float32Rows, made_by: Provenance) -> Vectors:
    """(n, width) rows of an encoder as the vectors a database would give back."""
    vectors = Vectors.empty(made_by, len(rows))
    for number, row in enumerate(rows):
        vectors.rows[number] = from_blob(to_blob(row, made_by), vectors.rows[number])
    return vectors
