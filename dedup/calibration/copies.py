"""Make edited copies in a temporary folder, and see how similar each is to its original."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dedup import decoding, images, settings
from dedup.calibration.edits import write_copies
from dedup.calibration.measuring import FloatVector
from dedup.calibration.sampling import Encode, Own, as_stored
from dedup.encoders.interface import Prepare
from dedup.encoders.preprocess import seen
from dedup.errors import DedupError, UnreadablePicture
from dedup.permissions import make_folder
from dedup.progress import Progress, Report
from dedup.provenance import Provenance
from dedup.vectors import Vectors
from dedup.verifier import FLAT_CONTRAST

# Copies are made of the picture at this size: no encoder looks at more than half of it.
SIDE = 1280
NEVER = -1.0
Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def similarities_of_copies(
    root: Path,
    sample: Own,
    prepare: Prepare,
    encode: Encode,
    made_by: Provenance,
    seed: int,
    max_megapixels: int,
    report: Report,
) -> FloatVector:
    """(kinds of edit, pictures) similarity of each copy with its original; -1 where the copy is nearly blank.

    The copies of a picture lie in a temporary folder while they are looked at, and are gone then.
    """
    workers = decoding.default_workers()
    columns = []
    with _place_outside(root) as place, ThreadPoolExecutor(workers) as pool:
        prepared = partial(_prepared_copies, prepare, place, seed, max_megapixels)
        for start in range(0, len(sample.paths), workers):
            report(Progress("pictures edited", start, len(sample.paths)))
            for number, (pixels, contrast) in enumerate(
                pool.map(prepared, sample.paths[start : start + workers]), start
            ):
                similarity = _similarity(sample.vectors.take([number]), as_stored(encode(pixels), made_by))
                columns.append(np.where(contrast >= FLAT_CONTRAST, similarity, NEVER))
    report(Progress("pictures edited", len(sample.paths), len(sample.paths)))
    return np.stack(columns, axis=1)


@contextmanager
def _place_outside(root: Path) -> Iterator[Path]:
    """A temporary folder that is not within ``root``, and that goes whatever happens."""
    for parent in (Path(tempfile.gettempdir()).resolve(), settings.home().resolve()):
        if parent.is_relative_to(root):
            continue
        try:
            make_folder(parent)
            with tempfile.TemporaryDirectory(prefix="dedup-calibration-", dir=parent) as place:
                yield Path(place)
        except OSError as problem:
            raise DedupError(
                f"The copies cannot be written to {parent}: {problem.strerror or problem}.",
                "Make room there, or let TMPDIR name another folder.",
            ) from problem
        return
    raise DedupError(f"There is no place for temporary files outside {root}.", "Let TMPDIR name one.")


def _prepared_copies(
    prepare: Prepare, place: Path, seed: int, max_megapixels: int, path: Path
) -> tuple[Pixels, FloatVector]:
    """(what the encoder sees of the copies of one picture, their contrasts)."""
    with tempfile.TemporaryDirectory(dir=place) as own:
        copies = write_copies(_to_edit(path, max_megapixels), Path(own), f"{seed}:{path.name}")
        shown = [images.open_upright(copy, prepare.size).image for copy in copies]
    pixels = [prepare(image) for image in shown]
    contrast = [prepare.contrast(seen(image), one) for image, one in zip(shown, pixels, strict=True)]
    return np.stack(pixels), np.array(contrast)


def _to_edit(path: Path, max_megapixels: int) -> Image.Image:
    try:
        image = images.open_upright(path, SIDE // 2, max_megapixels).image
    except UnreadablePicture as problem:
        raise DedupError(
            f"{os.fspath(path)} could not be read a second time: {problem.message}.", "Calibrate again."
        ) from problem
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return image


def _similarity(original: Vectors, copies: Vectors) -> FloatVector:
    both = Vectors.concatenated([original, copies])
    return both.similarity([0] * len(copies), list(range(1, len(both))))
