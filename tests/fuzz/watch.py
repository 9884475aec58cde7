"""Runs targets in a process of their own, so that one that dies, hangs or fills the memory is a finding."""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import time
import traceback
from multiprocessing.connection import Connection
from types import TracebackType

from .targets import TARGETS, scratch

SECONDS = 10.0
MEMORY = 2 << 30  # bytes more than a worker begins with


class Watched:
    """A worker that is told (target, bytes) and answers "" or what went wrong; started anew when it died."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._place = scratch()
        self._start()

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._end()
        shutil.rmtree(self._place, ignore_errors=True)

    def feed(self, target: str, data: bytes) -> str:
        """What is wrong with how the target took the bytes, or nothing."""
        began = time.monotonic()
        try:
            self._pipe.send((target, data))
            if not self._pipe.poll(self._seconds):
                self._end()
                self._start()
                return f"took more than {self._seconds:g} seconds"
            answer: str = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join(5)
            code = self._process.exitcode
            self._end()
            self._start()
            return f"died with code {code} after {time.monotonic() - began:.1f} seconds"
        return answer

    def _start(self) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("fork").Process(
            target=_work, args=(theirs, str(self._place)), daemon=True
        )
        self._process.start()
        theirs.close()

    def _end(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _work(pipe: Connection, home: str) -> None:
    from pathlib import Path

    os.environ["DEDUP_HOME"] = home
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)  # what C libraries have to say about a damaged file
    pages = int(Path("/proc/self/statm").read_text().split()[5])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    while True:
        try:
            target, data = pipe.recv()
        except EOFError:
            return
        try:
            TARGETS[target](data, Path(home))
            pipe.send("")
        except BaseException:
            pipe.send(traceback.format_exc())
