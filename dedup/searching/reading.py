"""Give each file its vector: from its folder's database where that knows the file as it is, else by decoding it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from dedup import decoding
from dedup.batching import BatchEncoder
from dedup.decoding import Prepared
from dedup.encoders import Encoder
from dedup.progress import Event, Progress, Report, Skipped
from dedup.searching.walking import PictureFile
from dedup.store import Peek, has_database
from dedup.vectors import Rows, Vectors, from_blob, to_blob

# How many files are taken from the list at once: few at first, so that there is something to show soon.
FIRST_CHUNK, LARGEST_CHUNK = 64, 4096
DECODED_AT_ONCE = 32

# Files in a row, and row i of the vectors belongs to file i.
Batch = tuple[list[PictureFile], Vectors]


class Reader:
    """Turns files into vectors of one set, in their order. Writes nothing; ``close`` it when done."""

    def __init__(self, encoder: Encoder, max_megapixels: int, num_workers: int, report: Report) -> None:
        self.provenance = encoder.provenances[0]
        self.from_databases = 0
        self.unreadable: list[Skipped] = []
        self._encoder = encoder
        self._encode = BatchEncoder(encoder, report)
        self._max_megapixels = max_megapixels
        self._num_workers = decoding.default_workers() if num_workers < 0 else num_workers
        self._report = report
        self._roots: dict[str, Path | None] = {}
        self._peeks: dict[Path, Peek] = {}
        self._like = Vectors.empty(self.provenance, 1).rows[0]

    def close(self) -> None:
        """Let go of the databases."""
        for peek in self._peeks.values():
            peek.close()

    def report(self, event: Event) -> None:
        """Pass an event on; files left out are kept too."""
        if isinstance(event, Skipped):
            self.unreadable.append(event)
        self._report(event)

    def batches(self, files: Iterable[PictureFile]) -> Iterator[Batch]:
        """The files with their vectors, a few at a time, as soon as they are there.

        One that cannot be read is reported as skipped, and kept in ``unreadable``.
        """
        done = 0
        for chunk, listed in _chunks(files):
            for batch, met in self._of_chunk(chunk):
                self._report(Progress("pictures", done + met, listed, len(self.unreadable)))
                if batch:
                    yield [file for file, _ in batch], self._stacked([row for _, row in batch])
            done += len(chunk)

    def _stacked(self, rows: Sequence[Rows]) -> Vectors:
        return Vectors(np.stack(rows), self.provenance.dim)

    def _of_chunk(self, chunk: Sequence[PictureFile]) -> Iterator[tuple[list[tuple[PictureFile, Rows]], int]]:
        """(files with their rows, how many of the chunk have been met by then)."""
        rows = self._known(chunk)
        self.from_databases += len(rows)
        waiting = [place for place, file in enumerate(chunk) if file.facts.path not in rows]
        decoded = decoding.batches(
            Path(),  # their paths are absolute
            [chunk[place].facts for place in waiting],
            self._encoder.prepare,
            batch_size=DECODED_AT_ONCE,
            num_workers=self._num_workers,
            max_megapixels=self._max_megapixels,
        )
        begin, met = 0, 0
        for prepared in decoded:
            for place, one in zip(waiting[met:], prepared, strict=False):
                if one.item.reason:
                    self.report(Skipped(chunk[place].shown, one.item.reason))
            rows.update(self._encoded([one for one in prepared if one.pixels is not None]))
            met += len(prepared)
            end = waiting[met] if met < len(waiting) else len(chunk)
            yield [(file, rows[file.facts.path]) for file in chunk[begin:end] if file.facts.path in rows], end
            begin = end
        if begin < len(chunk):
            yield [(file, rows[file.facts.path]) for file in chunk[begin:]], len(chunk)

    def _encoded(self, readable: Sequence[Prepared]) -> dict[str, Rows]:
        if not readable:
            return {}
        rows = self._encode(decoding.stacked(readable))[:, : self.provenance.width]
        # As a database would keep them, so that it makes no difference whether there is one.
        blobs = (to_blob(row, self.provenance) for row in rows)
        return {one.item.path: from_blob(blob, self._like) for one, blob in zip(readable, blobs, strict=True)}

    # -- databases --------------------------------------------------------------------

    def _known(self, files: Sequence[PictureFile]) -> dict[str, Rows]:
        """Absolute path -> the row of a file that a database knows as it is."""
        by_root: dict[Path, list[tuple[str, int, int]]] = {}
        for file in files:
            root = self._root_of(os.path.dirname(file.facts.path))
            if root is not None:
                relative = Path(os.path.relpath(file.facts.path, root)).as_posix()
                by_root.setdefault(root, []).append((relative, file.facts.size, file.facts.mtime_ns))
        rows: dict[str, Rows] = {}
        for root, wanted in by_root.items():
            if root not in self._peeks:
                self._peeks[root] = Peek(root, self.provenance)
            for relative, blob in self._peeks[root].vectors(wanted).items():
                if len(blob) == self._like.nbytes:
                    rows[os.path.join(root, *relative.split("/"))] = from_blob(blob, self._like)
        return rows

    def _root_of(self, folder: str) -> Path | None:
        """The nearest folder upwards that has a database."""
        passed = []
        while folder not in self._roots:
            passed.append(folder)
            if has_database(Path(folder)):
                self._roots[folder] = Path(folder)
            elif os.path.dirname(folder) == folder:
                self._roots[folder] = None
            else:
                folder = os.path.dirname(folder)
        self._roots.update(dict.fromkeys(passed, self._roots[folder]))
        return self._roots[folder]


def _chunks(files: Iterable[PictureFile]) -> Iterator[tuple[list[PictureFile], int]]:
    """(some files, how many have been listed by then); the next are listed before these are given out."""
    listing, size = iter(files), FIRST_CHUNK
    chunk = list(islice(listing, size))
    listed = len(chunk)
    while chunk:
        size = min(size * 4, LARGEST_CHUNK)
        following = list(islice(listing, size))
        listed += len(following)
        yield chunk, listed
        chunk = following
