"""Take over the vectors of the tool this one replaces, once a sample encoded again agrees with them.

Its table stays as it is. What that tool saw differently (it ignored EXIF orientation and
transparency), or what was written since, is left to be indexed anew.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dedup import decoding, hasher, images, scan, trash
from dedup.encoders import Encoder, Float32Rows, LoadOptions, models_of_dim, spec
from dedup.errors import DedupError
from dedup.progress import Report
from dedup.scan import FileFacts, real_folder
from dedup.settings import Settings
from dedup.store import (
    DECLINED,
    IMPORTED,
    Catalogue,
    ForeignVectors,
    answered,
    folder_lock,
    foreign_paths,
    foreign_vector,
    foreign_vectors,
    has_database,
    note_answer,
    written_ns,
)
from dedup.vectors import cosine
from dedup.workflow.indexing import load_encoder, load_options

SAMPLE = 64
ROWS_TO_LOCATE = 2000
# Vectors of the same picture by the same model differ by less than this, even when one was computed in
# half precision from a picture resized by another library.
SAME_MODEL = 0.99


@dataclass(frozen=True, slots=True)
class Foreign:
    """Vectors found in a foreign table, and the (encoder, kind) whose embeddings have that many numbers."""

    vectors: ForeignVectors
    models: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ImportResult:
    """``imported`` vectors; ``left`` pictures of the table that are to be indexed anew; ``gone`` ones."""

    imported: int
    left: int
    gone: int
    sampled: int
    similarity: float


def foreign(folder: str | Path) -> list[Foreign]:
    """What a table of the other tool in the folder's database holds; empty where there is none."""
    root = real_folder(folder)
    if not has_database(root):
        return []
    with Catalogue(root) as store:
        return [
            Foreign(one, [(row.name, kind) for row, kind in models_of_dim(one.dim)]) for one in foreign_vectors(store)
        ]


def foreign_is_answered(folder: str | Path) -> bool:
    """Whether a person has said already what is to happen with the table as it stands."""
    with Catalogue(real_folder(folder)) as store:
        return answered(store)


def foreign_is_imported(folder: str | Path) -> bool:
    """Whether vectors of the table, as it stands, were imported before."""
    root = real_folder(folder)
    if not has_database(root):
        return False
    with Catalogue(root) as store:
        return answered(store, (IMPORTED,))


def decline_foreign(folder: str | Path) -> None:
    """Remember that the table is to be left alone, so that nobody is asked again."""
    with Catalogue(real_folder(folder)) as store:
        note_answer(store, DECLINED)


def import_foreign(
    folder: str | Path, vectors: ForeignVectors, settings: Settings, report: Report, *, encoder: Encoder | None = None
) -> ImportResult:
    """Take over these vectors as those of the settings' encoder and kind.

    Raises DedupError, and leaves everything as it was, when a sample encoded again does not agree.
    """
    root = real_folder(folder)
    options = load_options(settings)
    with Catalogue(root, create=True) as store, folder_lock(root, "importing hashes"):
        trash.settle(store)
        files = scan.list_pictures(root).files
        known, gone = _found_again(store, vectors, {facts.path for facts in files})
        here = [facts for facts in files if facts.path in known]
        moment = _last_written(store)
        usable = [facts for facts in here if facts.mtime_ns <= moment and images.shown_as_stored(root / facts.path)]
        if not usable:
            raise DedupError(
                "None of the pictures in the other tool's table is in this folder as it was.", "Index the folder anew."
            )
        ready = encoder or load_encoder(spec(settings.encoder), options, report)
        _refuse_other_dim(ready, vectors, options)
        # Anywhere in the table: what was added later may be another model's.
        sampled = random.Random(len(usable)).sample(usable, min(SAMPLE, len(usable)))
        similarity = _agreement(store, vectors, known, sampled, ready, settings)
        # What was encoded here already is newer than the table.
        current, covered = store.known(), store.embedded(store.set_id(ready.provenances[0]))
        missing = [
            facts
            for facts in usable
            if facts.path not in covered or current.get(facts.path) != (facts.size, facts.mtime_ns)
        ]

        def taken_over(readable: Sequence[decoding.Prepared]) -> Float32Rows:
            return np.stack([_vector(store, vectors, known, one, ready) for one in readable])

        how = hasher.HashOptions(hasher.DECODED_AT_ONCE, settings.num_workers, settings.max_megapixels)
        summary = hasher.store_pictures(store, missing, ready, taken_over, how, report)
        note_answer(store, IMPORTED)
        return ImportResult(summary.encoded, len(known) - len(usable), gone, len(sampled), similarity)


def _found_again(store: Catalogue, vectors: ForeignVectors, paths: set[str]) -> tuple[dict[str, str], int]:
    """(those of the folder's paths that are in the table -> as they are there, how many rows have no file).

    The folder may have moved since: its old place is the beginning under which most rows are found, this
    folder itself among equals. Rows with another beginning are of other files.
    """
    rows = [(path, tuple(path.replace("\\", "/").split("/"))) for path in foreign_paths(store, vectors)]
    here = tuple(store.root.as_posix().split("/"))
    hits: Counter[tuple[str, ...]] = Counter()
    for _, parts in rows[:: max(1, len(rows) // ROWS_TO_LOCATE)]:
        hits.update(parts[:depth] for depth in range(len(parts)) if "/".join(parts[depth:]) in paths)
    old = max(hits, key=lambda place: (hits[place], place == here, len(place)), default=here)
    found: dict[str, str] = {}
    for path, parts in rows:
        relative = "/".join(parts[len(old) :])
        if parts[: len(old)] == old and relative in paths:
            found.setdefault(relative, path)
    return found, len(rows) - len(found)


def _last_written(store: Catalogue) -> int:
    """When the other tool last wrote its table, in ns; raises DedupError where nobody noted it."""
    moment = written_ns(store)
    if moment is None:
        raise DedupError(
            "When the other tool last wrote its table was never noted, so pictures changed since cannot be told.",
            "Index the folder anew; the table stays as it is.",
        )
    return moment


def _refuse_other_dim(encoder: Encoder, vectors: ForeignVectors, options: LoadOptions) -> None:
    made_by = encoder.provenances
    if len(made_by) > 1:
        raise DedupError("A column of the table holds one embedding.", "Choose --kind final or --kind hidden.")
    if made_by[0].dim != vectors.dim:
        raise DedupError(
            f"The table's vectors have {vectors.dim} numbers; {made_by[0].encoder} ({made_by[0].layer}) gives "
            f"{made_by[0].dim}.",
            "Choose another model; the table stays as it is.",
        )


def _agreement(
    store: Catalogue,
    vectors: ForeignVectors,
    known: dict[str, str],
    sampled: Sequence[FileFacts],
    encoder: Encoder,
    settings: Settings,
) -> float:
    """The median similarity of the sample's old and new vectors; raises DedupError when they do not agree."""
    old, new = [], []
    for facts in sampled:
        prepared = decoding.read_and_prepare(store.root, facts, encoder.prepare, settings.max_megapixels)
        vector = foreign_vector(store, vectors, known[facts.path])
        if prepared.pixels is not None and _is_direction(vector):
            old.append(vector)
            new.append(_encoded(prepared, encoder))
    if not old:
        raise DedupError("None of the sampled pictures could be read.", "Index the folder anew.")
    similar = cosine(np.stack(old), np.stack(new))
    if strange := int((similar < SAME_MODEL).sum()):
        # One wrong vector in the sample means others that nobody looked at.
        raise DedupError(
            f"The table's vectors are not those of {settings.encoder} and these pictures: {strange} of {len(similar)} "
            f"encoded again are different (median similarity {float(np.median(similar)):.3f}, the same model gives 1).",
            "Try another model or embedding, or index the folder anew; the table stays as it is.",
        )
    return float(np.median(similar))


def _vector(
    store: Catalogue,
    vectors: ForeignVectors,
    known: dict[str, str],
    prepared: decoding.Prepared,
    encoder: Encoder,
) -> npt.NDArray[np.float32]:
    """The picture's vector in the table at length 1; encoded anew where that one is no direction at all."""
    vector = foreign_vector(store, vectors, known[prepared.item.path])
    return vector / np.linalg.norm(vector) if _is_direction(vector) else _encoded(prepared, encoder)


def _is_direction(vector: npt.NDArray[np.float32]) -> bool:
    return 1e-12 < float(np.linalg.norm(vector.astype(np.float64))) < np.inf


def _encoded(prepared: decoding.Prepared, encoder: Encoder) -> npt.NDArray[np.float32]:
    import torch

    row: npt.NDArray[np.float32] = encoder.encode(torch.from_numpy(decoding.stacked([prepared])))[0]
    return row
