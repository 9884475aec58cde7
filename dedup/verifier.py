"""Look at candidate pairs: every picture once, several at a time, the results kept by content.

Needs the pictures' files as they were indexed. A pair of which a file can no longer be read stays unverified.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dedup import images
from dedup.apart import Apart
from dedup.decoding import SECONDS_PER_PICTURE, default_workers, start_worker
from dedup.errors import UnreadablePicture
from dedup.progress import Progress, Report
from dedup.store import Picture, Verifications
from dedup.tiers import LOOK_ALIKE
from dedup.verify.files import File, with_files
from dedup.verify.verification import VERSION, Verification

if TYPE_CHECKING:
    from dedup.verify.look import Look

# Standard deviation (of 255) below which a picture shows next to nothing: only equal pixels make it a copy.
FLAT_CONTRAST = 6.0
PAIRS_AT_ONCE = 256
AT_A_TIME = 4  # pairs or pictures handed to a worker
WORTH_PROCESSES = 6  # fewer pictures or pairs are not worth handing over
LOOKS_IN_MEMORY = 3 << 30  # bytes; about ten thousand pictures
DECODED_SIDE = 384
# Two looks whose levels differ by more on average (of 255) cannot have equal pixels.
ALMOST_EQUAL = 2.0

Pair = tuple[int, int]


class Verifier:
    """Verifies pairs of picture numbers; the results are those of the second picture as seen from the first."""

    def __init__(
        self,
        pictures: Sequence[Picture],
        roots: Sequence[Path],
        max_megapixels: int,
        report: Report,
        seconds: float = SECONDS_PER_PICTURE,
    ) -> None:
        self._pictures = pictures
        self._kept = Verifications(roots, VERSION)
        self._max_megapixels = max_megapixels
        self._report = report
        self._looks: OrderedDict[bytes, Look | None] = OrderedDict()
        self._memory = 0
        self.verified = 0
        self._pool: ProcessPoolExecutor | None = None
        self._may_have_pool = True
        self._seconds = seconds
        self._apart = Apart(seconds)

    def __call__(self, pairs: Sequence[Pair], what: str = "pairs verified") -> list[Verification | None]:
        """One result for each pair, in order; None where a file could not be read.

        Work is kept pair by pair in the folders' databases; ``report`` may raise Cancelled between two batches.
        """
        results: list[Verification | None] = []
        for start in range(0, len(pairs), PAIRS_AT_ONCE):
            if len(pairs) > PAIRS_AT_ONCE:
                self._report(Progress(what, start, len(pairs)))
            results += self._batch(pairs[start : start + PAIRS_AT_ONCE])
        if len(pairs) > PAIRS_AT_ONCE:
            self._report(Progress(what, len(pairs), len(pairs)))
        return results

    def _batch(self, pairs: Sequence[Pair]) -> list[Verification | None]:
        keys = [self._key(pair) for pair in pairs]
        read = {key: Verification.from_json(text) for key, text in self._kept.get(set(keys)).items()}
        kept = {key: one for key, one in read.items() if one is not None}
        new = {key: pair for key, pair in zip(keys, pairs, strict=True) if key not in kept}
        if new:
            found = self._look_at(list(new.values()))
            rows = [
                (key, result.to_json(), {self._pictures[number].root for number in pair})
                for (key, pair), result in zip(new.items(), found, strict=True)
                if result is not None
            ]
            self._kept.put(rows)
            kept.update((key, result) for key, result in zip(new, found, strict=True) if result is not None)
            self.verified += len(rows)
        return [self._from_first(pair, key, kept.get(key)) for pair, key in zip(pairs, keys, strict=True)]

    def _key(self, pair: Pair) -> tuple[bytes, bytes]:
        first, second = (self._pictures[number].digest for number in pair)
        return (first, second) if first <= second else (second, first)

    def _from_first(self, pair: Pair, key: tuple[bytes, bytes], found: Verification | None) -> Verification | None:
        if found is None or self._pictures[pair[0]].digest == key[0]:
            return found
        return found.swapped()

    def close(self) -> None:
        """End the worker processes; what is verified later happens in this one."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._pool, self._may_have_pool = None, False
        self._apart.close()

    def _look_at(self, pairs: Sequence[Pair]) -> list[Verification | None]:
        """The results with the smaller digest first, as they are kept."""
        ordered = [
            pair if self._pictures[pair[0]].digest <= self._pictures[pair[1]].digest else pair[::-1] for pair in pairs
        ]
        self._load({number for pair in ordered for number in pair})
        looks = [tuple(self._looks[self._pictures[number].digest] for number in pair) for pair in ordered]
        found: list[Verification | None] = self._map(_verify, looks)
        wanted = [i for i, (result, two) in enumerate(zip(found, looks, strict=True)) if _needs_files(result, *two)]
        jobs = [(found[i], *map(self._file, ordered[i])) for i in wanted]
        for i, result in zip(wanted, self._map(with_files, jobs), strict=True):
            found[i] = result
        return found

    def _file(self, number: int) -> File:
        picture = self._pictures[number]
        return File(os.fspath(picture.full_path), picture.digest, self._max_megapixels)

    def _load(self, numbers: Iterable[int]) -> None:
        wanted = {self._pictures[number].digest: number for number in sorted(numbers)}
        missing = [number for digest, number in wanted.items() if digest not in self._looks]
        for digest in wanted:
            if digest in self._looks:
                self._looks.move_to_end(digest)
        for number, look in zip(missing, self._map(_look, [self._file(number) for number in missing]), strict=True):
            self._looks[self._pictures[number].digest] = look
            self._memory += look.nbytes if look else 0
        while self._memory > LOOKS_IN_MEMORY and len(self._looks) > len(wanted):
            _, dropped = self._looks.popitem(last=False)
            self._memory -= dropped.nbytes if dropped else 0

    def _map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        """The function of every item: in worker processes where there are many; None where it crashed or hung."""
        if len(items) < WORTH_PROCESSES or not self._may_have_pool:
            # A few are not worth it: all of them were decoded before, by a worker of the index.
            return [function(item) for item in items]
        try:
            return self._in_pool(function, items)
        except (BrokenExecutor, TimeoutError):
            self._kill_pool()
            # The culprit is one of these: meet each of them alone.
            return [self._alone(function, item) for item in items]

    def _in_pool(self, function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        if self._pool is None:
            context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
            self._pool = ProcessPoolExecutor(default_workers(), context, _start)
        chunks = [items[start : start + AT_A_TIME] for start in range(0, len(items), AT_A_TIME)]
        running = [self._pool.submit(_each, function, chunk) for chunk in chunks]
        # They begin in order: when all before it are done, one is at work, and its time runs.
        return [one for future in running for one in future.result(timeout=AT_A_TIME * self._seconds)]

    def _alone(self, function: Callable[[Any], Any], item: Any) -> Any:
        try:
            return self._apart(function, item)
        except UnreadablePicture:
            return None

    def _kill_pool(self) -> None:
        if self._pool is not None:
            # Whoever hangs hears no polite request.
            for process in list((self._pool._processes or {}).values()):
                process.kill()
            self._pool.shutdown(cancel_futures=True)
        self._pool = None


def _each(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    return [function(item) for item in items]


def _start() -> None:
    start_worker()
    from threadpoolctl import threadpool_limits

    # One process per core is enough: threads on top of them only wait for each other.
    threadpool_limits(1)


def _look(file: File) -> Look | None:
    """What the verifier sees of a file; None where it cannot be read, or holds other bytes than were indexed."""
    from dedup.verify.look import look_at

    try:
        shown = images.decode(file.bytes(), DECODED_SIDE, file.max_megapixels)
    except UnreadablePicture:
        return None
    return look_at(shown.image, shown.width, shown.height)


def _verify(looks: tuple[Look | None, Look | None]) -> Verification | None:
    from dedup.verify.concluding import verify

    first, second = looks
    if first is None or second is None:
        return None
    try:
        # Of what shows next to nothing only equal pixels make a copy.
        return Verification(LOOK_ALIKE, 0.0, closeness=0.0) if _is_flat(first, second) else verify(first, second)
    except Exception:  # the libraries' own: one odd pair must not stop the others, and stays unverified
        return None


def _needs_files(found: Verification | None, first: Look | None, second: Look | None) -> bool:
    """Whether the files in nearly full size may change a result."""
    if found is None or first is None or second is None:
        return False
    return found.shows_whole_frames or (_is_flat(first, second) and _are_almost_equal(first, second))


def _is_flat(first: Look, second: Look) -> bool:
    import cv2

    return any(float(cv2.meanStdDev(look.pixels)[1].max()) < FLAT_CONTRAST for look in (first, second))


def _are_almost_equal(first: Look, second: Look) -> bool:
    import cv2

    if first.pixels.shape != second.pixels.shape or (first.width, first.height) != (second.width, second.height):
        return False
    return float(cv2.absdiff(first.pixels, second.pixels).mean()) <= ALMOST_EQUAL
