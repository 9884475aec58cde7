"""Do one thing after another in a process of its own, so that what crashes or hangs there costs only itself."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from dedup.decoding import CRASHED, SECONDS_PER_PICTURE, start_worker
from dedup.errors import UnreadablePicture

# fork shares the loaded libraries; where it is not safe (macOS, Windows) the platform's own way.
if sys.platform == "linux":
    _Process = multiprocessing.get_context("fork").Process
else:
    _Process = multiprocessing.get_context("spawn").Process


class Apart:
    """Calls functions in a worker process, which is started when it is first needed, and anew after it died.

    Functions, arguments and results travel between processes, so they must be picklable.
    """

    def __init__(self, seconds: float = SECONDS_PER_PICTURE) -> None:
        self._seconds = seconds
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    def __enter__(self) -> Apart:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(self, function: Callable[..., Any], *given: Any) -> Any:
        """What the function returns or raises; UnreadablePicture where its process died or took too long."""
        worked, value = self._ask(function, given)
        if not worked:
            raise value
        return value

    def _ask(self, function: Callable[..., Any], given: tuple[Any, ...]) -> tuple[bool, Any]:
        pipe = self._pipe or self._start()
        try:
            pipe.send((function, given))
            if pipe.poll(self._seconds):
                answer: tuple[bool, Any] = pipe.recv()
                return answer
        except (EOFError, OSError):
            pass  # it died: the reason below says so
        except BaseException:
            # An answer still to come must not be taken for that to the next question.
            self.close()
            raise
        self.close()
        return False, UnreadablePicture(CRASHED)

    def close(self) -> None:
        """End the process, whatever it is doing."""
        if self._process is not None and self._pipe is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
        self._process = self._pipe = None

    def _start(self) -> Connection:
        ours, theirs = multiprocessing.Pipe()
        self._process = _Process(target=_serve, args=(theirs, ours), daemon=True)
        self._process.start()
        theirs.close()
        self._pipe = ours
        return ours


def _serve(pipe: Connection, other_end: Connection) -> None:
    # With its copy of the other end open, this process would not notice that its parent is gone.
    other_end.close()
    start_worker()
    while True:
        try:
            function, given = pipe.recv()
        except EOFError:
            return
        try:
            answer = True, function(*given)
        except Exception as problem:
            answer = False, problem
        pipe.send(answer)
