"""Decode pictures in worker processes and hand them over in batches, in order.

A worker reads a file once: its bytes give the digest, the picture and the encoder's input.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dedup import images
from dedup.encoders.interface import Prepare, Uint8Array
from dedup.encoders.pdq import frame_bits
from dedup.encoders.preprocess import seen
from dedup.errors import UnreadablePicture
from dedup.gpu_jpeg import Reducer
from dedup.scan import FileFacts
from dedup.store import Indexed

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch.utils.data import DataLoader

# A picture that takes longer than this to decode is given up on.
SECONDS_PER_PICTURE = 60
SECONDS_BETWEEN_LOOKS = 1
# A worker may ask for this much at most: the largest file there may be, twice, and 2 billion pixels of float.
MEMORY_PER_WORKER = 16 << 30
TRY_AGAIN = -1
CHANGED_WHILE_READ = "changed while it was being read; the next index will read it again"
CRASHED = "the decoder crashed or hung on it"


@dataclass(frozen=True, slots=True)
class Prepared:
    """One file after its worker: what is to be stored, and the encoder's input unless unreadable.

    ``jpeg`` is given in place of both where the GPU is to decode it.
    """

    item: Indexed
    pixels: Uint8Array | None
    jpeg: Jpeg | None = None


@dataclass(frozen=True, slots=True)
class Jpeg:
    """A JPEG its worker left to the GPU: the file's bytes, and what its header says."""

    data: bytes
    head: images.JpegHead


class WorkersFailed(Exception):
    """A decode worker died or hung; the pictures not yet handed over are to be decoded one by one."""


class _Pictures:
    """The dataset of a DataLoader: file number -> Prepared. Picklable, holds no weights."""

    def __init__(
        self, root: Path, files: Sequence[FileFacts], prepare: Prepare, max_megapixels: int, leave_jpegs: bool
    ) -> None:
        self._root = root
        self._files = files
        self._prepare = prepare
        self._max_megapixels = max_megapixels
        self._leave_jpegs = leave_jpegs

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, number: int) -> Prepared:
        return read_and_prepare(
            self._root, self._files[number], self._prepare, self._max_megapixels, leave_jpegs=self._leave_jpegs
        )


def read_and_prepare(
    root: Path, facts: FileFacts, prepare: Prepare, max_megapixels: int, *, leave_jpegs: bool = False
) -> Prepared:
    """One file read, digested, decoded and prepared; what goes wrong becomes the item's reason.

    With ``leave_jpegs`` an ordinary JPEG is only read and digested: the GPU will decode it.
    """
    digest = None
    try:
        data, digest = _read_unchanged(root / facts.path, facts)
        if leave_jpegs and (head := images.jpeg_head(data, max_megapixels)):
            return Prepared(Indexed(facts.path, facts.size, facts.mtime_ns, digest), None, Jpeg(data, head))
        return _prepared(facts, digest, images.decode(data, prepare.size, max_megapixels), prepare)
    except UnreadablePicture as problem:
        # A reason that may pass is kept under a time no file has, so that the next index tries again.
        mtime_ns = TRY_AGAIN if problem.may_pass else facts.mtime_ns
        return Prepared(Indexed(facts.path, facts.size, mtime_ns, digest, reason=problem.message), None)
    except Exception as problem:  # one odd picture must not stop the others
        reason = f"cannot be prepared: {problem or type(problem).__name__}"
        return Prepared(Indexed(facts.path, facts.size, facts.mtime_ns, digest, reason=reason), None)


def _prepared(facts: FileFacts, digest: bytes, picture: images.Decoded, prepare: Prepare) -> Prepared:
    pixels, small = prepare(picture.image), seen(picture.image)
    item = Indexed(
        facts.path,
        facts.size,
        facts.mtime_ns,
        digest,
        picture.width,
        picture.height,
        picture.format,
        prepare.contrast(small, pixels),
        several_frames=picture.several_frames,
        frame=frame_bits(small),
    )
    return Prepared(item, pixels)


def batches(
    root: Path,
    files: Sequence[FileFacts],
    prepare: Prepare,
    *,
    batch_size: int,
    num_workers: int,
    max_megapixels: int,
    seconds: int = SECONDS_PER_PICTURE,
    reduce: Reducer | None = None,
) -> Iterator[list[Prepared]]:
    """The files in order, in batches, decoded in parallel; with ``reduce`` ordinary JPEGs by the GPU.

    A picture that kills or hangs its decoder costs that picture only: it comes back as unreadable.
    """
    if reduce is not None:
        read = _batches(root, files, prepare, batch_size, num_workers, max_megapixels, seconds, leave_jpegs=True)
        yield from _on_gpu(reduce, read, root, prepare, max_megapixels, seconds)
    else:
        yield from _batches(root, files, prepare, batch_size, num_workers, max_megapixels, seconds)


def _batches(
    root: Path,
    files: Sequence[FileFacts],
    prepare: Prepare,
    batch_size: int,
    num_workers: int,
    max_megapixels: int,
    seconds: int,
    leave_jpegs: bool = False,
) -> Iterator[list[Prepared]]:
    done = 0
    while done < len(files):
        pictures = _Pictures(root, files[done:], prepare, max_megapixels, leave_jpegs)
        loader = _loader(pictures, batch_size, num_workers)
        try:
            # Time for one slow picture, and a few seconds for each other of the batch.
            for batch in _guarded(loader, seconds + 2 * batch_size):
                done += len(batch)
                yield batch
            return
        except WorkersFailed:
            # The culprit is one of the pictures in flight: meet each of them alone.
            in_flight = files[done : done + batch_size * (2 * max(num_workers, 1) + 1)]
            for facts in in_flight:
                yield [_alone(root, facts, prepare, max_megapixels, seconds)]
                done += 1


def default_workers() -> int:
    """One decode worker per processor core this process may use, and never none."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, 32))


def _on_gpu(
    reduce: Reducer,
    read: Iterable[list[Prepared]],
    root: Path,
    prepare: Prepare,
    max_megapixels: int,
    seconds: int,
) -> Iterator[list[Prepared]]:
    """The batches with the JPEGs that were left decoded by the GPU, and by a worker where it could not."""
    with ThreadPoolExecutor(default_workers()) as threads:

        def finish(one: Prepared, image: Image | None) -> Prepared:
            item, jpeg = one.item, one.jpeg
            assert jpeg is not None
            assert item.digest is not None
            facts = FileFacts(item.path, item.size, item.mtime_ns, 0, 0)
            if image is not None:
                with suppress(Exception):  # one odd picture must not stop the others: its worker will say why
                    return _prepared(facts, item.digest, images.turned(image, jpeg.head), prepare)
            return _alone(root, facts, prepare, max_megapixels, seconds)

        for batch in read:
            left = [one for one in batch if one.jpeg is not None]
            decoded = reduce([one.jpeg.data for one in left if one.jpeg], prepare.size)
            done = iter(list(threads.map(finish, left, decoded)))
            yield [next(done) if one.jpeg is not None else one for one in batch]


def _alone(root: Path, facts: FileFacts, prepare: Prepare, max_megapixels: int, seconds: int) -> Prepared:
    try:
        for batch in _guarded(_loader(_Pictures(root, [facts], prepare, max_megapixels, False), 1, 1), seconds):
            return batch[0]
    except WorkersFailed:
        pass  # the reason below says so
    return Prepared(Indexed(facts.path, facts.size, facts.mtime_ns, None, reason=CRASHED), None)


def _loader(pictures: _Pictures, batch_size: int, num_workers: int) -> DataLoader[Any]:
    from torch.utils.data import DataLoader

    workers = min(num_workers, -(-len(pictures) // batch_size))
    return DataLoader(
        pictures,  # type: ignore[arg-type]  # a map-style dataset needs no base class
        batch_size=batch_size,
        num_workers=workers,
        collate_fn=list,
        timeout=SECONDS_BETWEEN_LOOKS if workers else 0,
        worker_init_fn=_start_decoding if workers else None,
        # fork shares the loaded libraries; where it is not safe (macOS, Windows) the platform's own way.
        multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
        prefetch_factor=2 if workers else None,
    )


def _guarded(loader: DataLoader[Any], seconds: float) -> Iterator[list[Prepared]]:
    """The loader's batches; raises WorkersFailed when a worker died or one batch took longer than ``seconds``."""
    batches = iter(loader)
    _ignore_the_signal_of_dead_workers()
    while True:
        limit = time.monotonic() + seconds
        batch = _next_batch(batches, limit)
        if batch is None:
            return
        yield batch


def _next_batch(batches: Iterator[list[Prepared]], limit: float) -> list[Prepared] | None:
    while True:
        try:
            return next(batches, None)
        except RuntimeError as problem:
            # The loader looks for dead workers each time its own short wait is over.
            if "DataLoader timed out" in str(problem) and time.monotonic() < limit:
                continue
            if "DataLoader" not in str(problem):
                raise
            raise WorkersFailed from problem


def _ignore_the_signal_of_dead_workers() -> None:
    # torch's own handler raises in whatever the main thread is doing just then, a commit included.
    if hasattr(signal, "SIGCHLD") and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def start_worker() -> None:
    """What every worker process does first: leave Ctrl-C to its parent, and end with it."""
    # Ctrl-C reaches the whole process group; only the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _bound_memory()
    _be_silent()


def _bound_memory() -> None:
    """Let a decoder that asks for memory without end fail, or at worst die, and nobody else with it."""
    if sys.platform != "linux":
        return  # elsewhere no limit counts what a process has of its own
    import resource

    with suppress(OSError, ValueError):
        # Where memory runs out, this process is the one to go, not its parent and not another program.
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    with suppress(OSError, ValueError, IndexError):
        # RLIMIT_DATA and not RLIMIT_AS: the address space that a GPU's driver reserves is no memory in use. What
        # was inherited from the parent, vectors of a million pictures perhaps, comes on top.
        inherited = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        limit = inherited + MEMORY_PER_WORKER
        resource.setrlimit(resource.RLIMIT_DATA, (limit if hard < 0 else min(limit, hard), hard))


def _be_silent() -> None:
    # What C libraries say of a damaged file names neither the file nor a remedy, and would garble the progress bar.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _start_decoding(number: int) -> None:
    start_worker()
    import torch

    torch.set_num_threads(1)


def _end_with_parent() -> None:
    # A worker whose parent was killed waits for ever on a full pipe that nobody reads.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _read_unchanged(path: Path, facts: FileFacts) -> tuple[bytes, bytes]:
    """The bytes and digest of a file that is still the one that was listed."""
    try:
        before = os.lstat(path)
    except OSError as problem:
        raise UnreadablePicture(f"cannot be read: {problem.strerror or problem}", may_pass=True) from problem
    if not stat.S_ISREG(before.st_mode):
        raise UnreadablePicture("not a regular file")
    data, digest = images.read(path)
    after = os.lstat(path)
    if (after.st_size, after.st_mtime_ns, len(data)) != (facts.size, facts.mtime_ns, facts.size):
        raise UnreadablePicture(CHANGED_WHILE_READ, may_pass=True)
    return data, digest


def stacked(prepared: Sequence[Prepared]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The inputs of readable pictures as one (n, 3, h, w) uint8 array."""
    return np.stack([one.pixels for one in prepared if one.pixels is not None])
