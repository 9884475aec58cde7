"""Decode workers -> batches -> encoder -> store, one commit per batch, resumable at any moment."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dedup import decoding, images
from dedup.batching import BatchEncoder
from dedup.decoding import Prepared
from dedup.encoders import Encoder, Float32Rows
from dedup.gpu_jpeg import gpu_reducer
from dedup.progress import Progress, Report, Skipped
from dedup.scan import Changes, FileFacts
from dedup.store import Catalogue, Indexed

# A crash costs looking at each picture in flight alone: decoders get small batches, the device large ones.
DECODED_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class HashOptions:
    """How to hash: 0 or -1 lets the encoder's row or the machine choose.

    ``gpu_jpegs``: JPEGs are decoded by the GPU the encoder runs on, where that can be done.
    """

    batch_size: int = 32
    num_workers: int = -1
    max_megapixels: int = 100
    gpu_jpegs: bool = False


@dataclass(frozen=True, slots=True)
class HashSummary:
    """What one pass did. ``unreadable`` paths with their reasons; ``seconds`` is wall time."""

    encoded: int
    unreadable: dict[str, str]
    seconds: float


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
    encode = BatchEncoder(encoder, report)

    def vectors_of(readable: Sequence[Prepared]) -> Float32Rows:
        return encode(decoding.stacked(readable))

    return store_pictures(store, files, encoder, vectors_of, options, report)


def store_pictures(
    store: Catalogue,
    files: Sequence[FileFacts],
    encoder: Encoder,
    vectors_of: Callable[[Sequence[Prepared]], Float32Rows],
    options: HashOptions,
    report: Report,
) -> HashSummary:
    """Read the files and commit them batch by batch with the rows ``vectors_of`` gives for the readable ones.

    A row holds the vectors of all the encoder's sets side by side. Raises Cancelled between two batches.
    """
    started = time.monotonic()
    done = 0
    unreadable: dict[str, str] = {}
    report(Progress("pictures", 0, len(files)))
    for prepared in _batches(store, files, encoder, options):
        readable = [one for one in prepared if one.pixels is not None]
        items = [one.item for one in prepared if one.pixels is None]
        if readable:
            rows = vectors_of(readable)
            items += [_with_vectors(one.item, row, encoder) for one, row in zip(readable, rows, strict=True)]
        store.save(items, encoder.provenances)
        done += len(prepared)
        for item in items:
            if item.reason:
                unreadable[item.path] = item.reason
                report(Skipped(os.path.join(store.root, item.path), item.reason))
        report(Progress("pictures", done, len(files), len(unreadable)))
    return HashSummary(done - len(unreadable), unreadable, time.monotonic() - started)


def _batches(
    store: Catalogue, files: Sequence[FileFacts], encoder: Encoder, options: HashOptions
) -> Iterator[list[Prepared]]:
    """The files decoded, in batches for the device: several of the decoders' where those are smaller."""
    size = max(1, options.batch_size)
    decoded = decoding.batches(
        store.root,
        files,
        encoder.prepare,
        batch_size=min(size, DECODED_AT_ONCE),
        num_workers=decoding.default_workers() if options.num_workers < 0 else options.num_workers,
        max_megapixels=options.max_megapixels,
        reduce=gpu_reducer(encoder.device) if options.gpu_jpegs else None,
    )
    waiting: list[Prepared] = []
    for batch in decoded:
        waiting += batch
        while len(waiting) >= size:
            yield waiting[:size]
            waiting = waiting[size:]
    if waiting:
        yield waiting


def _with_vectors(item: Indexed, row: Float32Rows, encoder: Encoder) -> Indexed:
    ends = np.cumsum([provenance.width for provenance in encoder.provenances])
    return replace(item, vectors=tuple(np.split(row, ends[:-1])))


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
