"""Decode workers -> batches -> encoder -> store, one commit per batch, resumable at any moment."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dedup import decoding, images
from dedup.encoders import Encoder
from dedup.encoders.interface import Float32Rows
from dedup.errors import DedupError
from dedup.progress import Notice, Progress, Report, Skipped
from dedup.scan import Changes, FileFacts
from dedup.store import Catalogue

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class HashOptions:
    """How to hash: 0 or -1 lets the encoder's row or the machine choose."""

    batch_size: int = 32
    num_workers: int = -1
    max_megapixels: int = 100


@dataclass(frozen=True, slots=True)
class HashSummary:
    """What one pass did. ``seconds`` is wall time."""

    encoded: int
    unreadable: int
    seconds: float


class BatchEncoder:
    """An encoder that halves its batch when the device runs out of memory, and remembers the size."""

    def __init__(self, encoder: Encoder, report: Report) -> None:
        self._encoder = encoder
        self._report = report
        self._limit = 0

    def __call__(self, pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> Float32Rows:
        """(n, 3, h, w) uint8 -> (n, dim) float32 unit rows; raises DedupError when one picture is too much."""
        import torch

        batch = torch.from_numpy(pixels)
        rows: list[Float32Rows] = []
        done = 0
        while done < len(batch):
            part = batch[done : done + (self._limit or len(batch))]
            try:
                rows.append(self._encoder.encode(part))
                done += len(part)
            except (RuntimeError, MemoryError) as problem:
                if not _is_out_of_memory(problem):
                    raise
                self._halve(part, problem)
        return np.concatenate(rows)

    def _halve(self, part: Tensor, problem: BaseException) -> None:
        import torch

        if len(part) == 1:
            raise DedupError(
                "The device has not enough memory for a single picture.",
                "Close other programs, or choose a smaller encoder.",
            ) from problem
        self._limit = len(part) // 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._report(Notice(f"Out of memory on the device: going on with {self._limit} pictures at once."))


def recognise_moved(store: Catalogue, changes: Changes) -> Changes:
    """Let the rows of moved or renamed files follow them by content; the changes that remain.

    Only files whose size equals that of a vanished one are read. A file whose time changed
    but not its bytes counts as unchanged.
    """
    vanished: dict[tuple[int, bytes], list[str]] = {}
    for path, known in store.digests_of(changes.gone).items():
        vanished.setdefault(known, []).append(path)
    sizes = {size for size, _ in vanished}
    moves, unmoved = [], []
    for found in changes.new:
        digest = _digest_or_none(store, found) if found.size in sizes else None
        candidates = vanished.get((found.size, digest)) if digest else None
        if candidates:
            moves.append((candidates.pop(0), found.path, found.mtime_ns))
        else:
            unmoved.append(found)
    touched, changed = _same_bytes(store, changes.changed)
    if moves:
        store.follow_moves(moves)
    if touched:
        store.touch([(found.path, found.mtime_ns) for found in touched])
    old_paths = {old for old, _, _ in moves}
    moved_to = {new for _, new, _ in moves}
    return Changes(
        unmoved,
        changed,
        sorted([*changes.unchanged, *touched, *(found for found in changes.new if found.path in moved_to)]),
        [path for path in changes.gone if path not in old_paths],
    )


def hash_pictures(
    store: Catalogue, files: Sequence[FileFacts], encoder: Encoder, options: HashOptions, report: Report
) -> HashSummary:
    """Encode the files and commit them batch by batch; raises Cancelled between two batches."""
    started = time.monotonic()
    set_id = store.set_id(encoder.provenance)
    encode = BatchEncoder(encoder, report)
    done = unreadable = 0
    workers = decoding.default_workers() if options.num_workers < 0 else options.num_workers
    batches = decoding.batches(
        store.root,
        files,
        encoder.prepare,
        batch_size=max(1, options.batch_size),
        num_workers=workers,
        max_megapixels=options.max_megapixels,
    )
    report(Progress("pictures", 0, len(files)))
    for prepared in batches:
        readable = [one for one in prepared if one.pixels is not None]
        items = [one.item for one in prepared if one.pixels is None]
        if readable:
            vectors = encode(decoding.stacked(readable))
            items += [replace(one.item, vector=row) for one, row in zip(readable, vectors, strict=True)]
        store.save(items, set_id)
        done += len(prepared)
        for item in items:
            if item.reason:
                unreadable += 1
                report(Skipped(os.path.join(store.root, item.path), item.reason))
        report(Progress("pictures", done, len(files), unreadable))
    return HashSummary(done - unreadable, unreadable, time.monotonic() - started)


def _same_bytes(store: Catalogue, changed: Sequence[FileFacts]) -> tuple[list[FileFacts], list[FileFacts]]:
    """(files whose bytes are as before, files that really changed)."""
    known = store.digests_of(found.path for found in changed)
    same: list[FileFacts] = []
    different: list[FileFacts] = []
    for found in changed:
        size, digest = known.get(found.path, (-1, b""))
        is_same = size == found.size and _digest_or_none(store, found) == digest
        (same if is_same else different).append(found)
    return same, different


def _digest_or_none(store: Catalogue, found: FileFacts) -> bytes | None:
    try:
        return images.digest(store.root / found.path)
    except OSError:
        return None


def _is_out_of_memory(problem: BaseException) -> bool:
    # torch.OutOfMemoryError is a RuntimeError; the CPU allocator and CUDA's libraries raise plain ones.
    text = str(problem).lower()
    signs = ("out of memory", "not enough memory", "can't allocate memory", "alloc_failed")
    return isinstance(problem, MemoryError) or any(sign in text for sign in signs)
