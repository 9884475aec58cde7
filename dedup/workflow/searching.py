"""Compare references with pictures, or pictures among each other, by their vectors alone; nothing is written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from dedup import comparison, searching
from dedup.encoders import spec
from dedup.errors import DedupError
from dedup.progress import Report, Skipped
from dedup.provenance import Provenance
from dedup.searching import Choice, EqualSet, Hit, PictureFile, Reader
from dedup.settings import Settings
from dedup.vectors import Vectors
from dedup.workflow.indexing import load_encoder, load_options


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Which files, and how alike they must be: the threshold in the unit of the encoder's metric, or none.

    ``turned``: fingerprints are compared in the orientation in which they differ least.
    """

    choice: Choice = field(default_factory=Choice)
    threshold: float | None = None
    lowest_cosine: float | None = None
    turned: bool = False


@dataclass(slots=True)
class Searched:
    """What is compared, and by what. ``hits`` come while the pictures are read; ``unreadable`` grows meanwhile.

    ``references``: (path, fingerprint in hex or "").
    """

    provenance: Provenance
    threshold: float | None
    references: list[tuple[str, str]]
    hits: Iterator[Hit]
    unreadable: list[Skipped]


@dataclass(slots=True)
class Dupes:
    """The sets of files that are equal, or near enough to the first of their set. Row i is of file i."""

    provenance: Provenance
    threshold: float | None
    files: list[PictureFile]
    vectors: Vectors
    sets: list[EqualSet]
    unreadable: list[Skipped]


@contextmanager
def search(
    references: Sequence[str], paths: Iterable[str], settings: Settings, options: SearchOptions, report: Report
) -> Iterator[Searched]:
    """References compared with all pictures under the paths; a folder of references stands for its pictures.

    Without a threshold every picture is a hit. Raises DedupError where no reference can be read.
    """
    with _reader(settings, report) as reader:
        provenance = reader.provenance
        threshold, lowest = _limits(options, provenance)
        names, vectors = _all_of(reader, searching.walk(references, Choice(), reader.report))
        if not names:
            reason = reader.unreadable[0].reason if reader.unreadable else "it holds no picture"
            raise DedupError(f"The reference {references[0]} cannot be used: {reason}.", "Name a picture.")
        hexes = [searching.in_hex(row, provenance.dim) if provenance.is_bits else "" for row in vectors.rows]
        files = searching.walk(paths, options.choice, reader.report)
        shown = [file.shown for file in names]
        hits = searching.hits(shown, vectors, reader.batches(files), lowest, turned=options.turned)
        try:
            yield Searched(provenance, threshold, list(zip(shown, hexes, strict=True)), hits, reader.unreadable)
        finally:
            hits.close()  # and with them the decode workers


def dupes(paths: Iterable[str], settings: Settings, options: SearchOptions, report: Report) -> Dupes:
    """The sets of pictures under the paths: of equal fingerprints, or with a threshold of similar ones.

    Embeddings are hardly ever equal: without a threshold they are compared at their encoder's own.
    """
    with _reader(settings, report) as reader:
        provenance = reader.provenance
        if options.threshold is None and options.lowest_cosine is None and not provenance.is_bits:
            threshold: float | None = comparison.threshold_for(None, provenance)
            lowest = threshold
        else:
            threshold, lowest = _limits(options, provenance)
        files, vectors = _all_of(reader, searching.walk(paths, options.choice, reader.report))
        sets = searching.sets_of(vectors, lowest, turned=options.turned, report=report)
        return Dupes(provenance, threshold, files, vectors, sets, reader.unreadable)


def require_paths(paths: Iterable[str]) -> None:
    """Raises DedupError for the first path that leads nowhere."""
    for path in paths:
        if not os.path.exists(path):
            raise DedupError(f"There is nothing at {path}.", "Check the spelling, or whether its drive is connected.")


@contextmanager
def _reader(settings: Settings, report: Report) -> Iterator[Reader]:
    encoder = load_encoder(spec(settings.encoder), load_options(settings), report)
    reader = Reader(encoder, settings.max_megapixels, settings.num_workers, report)
    try:
        yield reader
    finally:
        reader.close()


def _limits(options: SearchOptions, provenance: Provenance) -> tuple[float | None, float | None]:
    """The threshold in the metric's own unit, and as a similarity; None where there is none."""
    if options.threshold is None and options.lowest_cosine is None:
        return None, None
    threshold = comparison.threshold_for(options.threshold, provenance, options.lowest_cosine)
    return threshold, comparison.as_similarity(threshold, provenance)


def _all_of(reader: Reader, files: Iterable[PictureFile]) -> tuple[list[PictureFile], Vectors]:
    """All files that can be read, and their vectors."""
    found: list[PictureFile] = []
    parts: list[Vectors] = []
    for some, vectors in reader.batches(files):
        found += some
        parts.append(vectors)
    return found, Vectors.concatenated(parts) if parts else Vectors.empty(reader.provenance)
