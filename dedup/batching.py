"""Batches that fit the device: their size found by doubling, remembered, and halved when memory runs out."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from dedup import settings
from dedup.encoders import Encoder, Float32Rows, Uint8Array
from dedup.encoders.device import is_out_of_memory
from dedup.errors import DedupError
from dedup.permissions import write_private
from dedup.progress import Notice, Report

if TYPE_CHECKING:
    from torch import Tensor

MOST_AT_ONCE = 1024
# A batch twice as large must be at least this much faster per picture to be worth its memory.
WORTH_DOUBLING = 1.05


class BatchEncoder:
    """An encoder that halves its batch when the device runs out of memory, and remembers the size."""

    def __init__(self, encoder: Encoder, report: Report) -> None:
        self._encoder = encoder
        self._report = report
        self._limit = 0

    def __call__(self, pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> Float32Rows:
        """(n, ...) uint8 -> (n, width) float32 rows; raises DedupError when one picture is too much."""
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
                if not is_out_of_memory(problem):
                    raise
                self._halve(part, problem)
        return np.concatenate(rows)

    def _halve(self, part: Tensor, problem: BaseException) -> None:
        if len(part) == 1:
            raise DedupError(
                "The device has not enough memory for a single picture.",
                "Close other programs, or choose a smaller encoder.",
            ) from problem
        self._limit = len(part) // 2
        _give_memory_back()
        self._report(Notice(f"Out of memory on the device: going on with {self._limit} pictures at once."))


def batch_size_for(encoder: Encoder, start: int) -> int:
    """How many pictures to encode at once: ``start`` on a CPU, where more is not faster.

    On any other device it is found once, by doubling from ``start`` until memory says no or it is
    no longer faster, and remembered for this encoder on this device.
    """
    if encoder.device == "cpu":
        return start
    key = _key(encoder)
    known = _remembered()
    size = known.get(key)
    if type(size) is not int or not 1 <= size <= MOST_AT_ONCE:
        size = _largest_worthwhile(encoder, start)
        _remember({**known, key: size})
    return size


def _largest_worthwhile(encoder: Encoder, start: int) -> int:
    from PIL import Image

    blank = encoder.prepare(Image.new("RGB", (64, 64), (128, 128, 128)))
    best, size = start, start
    best_seconds = float("inf")
    while size <= MOST_AT_ONCE:
        try:
            seconds = _seconds_per_picture(encoder, blank, size)
        except (RuntimeError, MemoryError) as problem:
            if not is_out_of_memory(problem):
                raise
            _give_memory_back()
            # Even the first was too much: let the halving find its way, run by run.
            return best
        if seconds * WORTH_DOUBLING > best_seconds:
            return best
        best, best_seconds, size = size, seconds, size * 2
    return best


def _seconds_per_picture(encoder: Encoder, blank: Uint8Array, size: int) -> float:
    """The least of three batches after one to warm up: what else the machine does must not decide."""
    import torch

    batch = torch.from_numpy(np.repeat(blank[None], size, axis=0))
    encoder.encode(batch)
    return min(_seconds(encoder, batch) for _ in range(3)) / size


def _seconds(encoder: Encoder, batch: Tensor) -> float:
    started = time.perf_counter()
    encoder.encode(batch)
    return time.perf_counter() - started


def _key(encoder: Encoder) -> str:
    import torch

    on_cuda = encoder.device.startswith("cuda") and torch.cuda.is_available()
    device = torch.cuda.get_device_name(encoder.device) if on_cuda else encoder.device
    made_by = [f"{one.encoder} {one.layer} {one.checkpoint}" for one in encoder.provenances]
    return " | ".join([device, *made_by])


def _remembered() -> dict[str, Any]:
    try:
        known = json.loads((settings.home() / "batch_sizes.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return known if isinstance(known, dict) else {}


def _remember(sizes: dict[str, Any]) -> None:
    with suppress(OSError):  # found again next time
        write_private(settings.home() / "batch_sizes.json", json.dumps(sizes, indent=2).encode())


def _give_memory_back() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
