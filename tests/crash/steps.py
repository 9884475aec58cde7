"""In the process that is to be broken off: every step that reaches the disk, counted, and a fault at one of them.

Nothing of the product knows of this: the functions of ``os`` and ``shutil`` and SQLite's connection are
wrapped after the process was forked, and the process ends with the job.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TRASH = ".dedup-trash"
STEPS_OF_OS = ("rename", "link", "unlink", "mkdir", "rmdir", "fsync", "chown")
STEPS_OF_SHUTIL = ("copyfileobj", "copystat")
STEPS_OF_SQLITE = ("BEGIN", "COMMIT", "INSERT INTO JOURNAL", "UPDATE JOURNAL", "UPDATE PICTURES")


@dataclass(slots=True)
class Fault:
    """What goes wrong: at which step (from 1; 0: nothing), ``before``, ``after`` or in the ``middle`` of it.
    With the moment ``stop`` the process only waits there until it is continued.

    With an ``error`` (a number of errno) the step fails with it instead of the process being killed, and with
    ``lasting`` every later one too. ``only``: the steps whose name starts so are counted, no others.
    """

    step: int = 0
    moment: str = "before"
    error: int = 0
    lasting: bool = False
    other_volume: bool = False
    only: str = ""
    taken: list[str] = field(default_factory=list)
    process: int = 0

    def wrap(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, counted, with the fault in it when its turn comes."""

        def stepping(*words: Any, **options: Any) -> Any:
            if not name.startswith(self.only) or os.getpid() != self.process:
                return call(
                    *words, **options
                )  # a worker's steps come in an order of their own, and its death is another
            self.taken.append(name)
            number = len(self.taken)
            if self.error and (number == self.step or (self.lasting and 0 < self.step < number)):
                raise self._as_error(name)
            mine = number == self.step and not self.error
            if mine and self.moment == "stop":
                os.kill(os.getpid(), signal.SIGSTOP)
                return call(*words, **options)
            if mine and self.moment == "before":
                die()
            if mine and self.moment == "middle" and name == "copyfileobj":
                words[1].write(words[0].read(100))
                words[1].flush()
                die()
            try:
                result = call(*words, **options)
            finally:
                if mine:
                    die()  # also where the step itself failed
            if name == "unlink" and self.error == errno.ENOSPC and TRASH in Path(words[0]).parts:
                self.lasting = False  # what was deleted made room
            return result

        return stepping

    def _as_error(self, name: str) -> Exception:
        if not name.startswith("sqlite"):
            return OSError(self.error, os.strerror(self.error))
        full = self.error == errno.ENOSPC
        return sqlite3.OperationalError("database or disk is full" if full else "disk I/O error")

    def install(self) -> None:
        """Wrap the steps in this process."""
        self.process = os.getpid()
        if self.other_volume:
            os.rename, os.link = _between_volumes(os.rename), _between_volumes(os.link)
        for name in STEPS_OF_OS:
            setattr(os, name, self.wrap(name, getattr(os, name)))
        for name in STEPS_OF_SHUTIL:
            setattr(shutil, name, self.wrap(name, getattr(shutil, name)))
        builtins.open = io.open = self._opening(builtins.open)  # pathlib calls the second
        sqlite3.connect = self._connecting(sqlite3.connect)

    def _opening(self, really_open: Callable[..., Any]) -> Callable[..., Any]:
        stepping = self.wrap("open for writing", really_open)

        def opening(path: Any, mode: str = "r", *words: Any, **options: Any) -> Any:
            writes = set(mode) & set("wxa+") and str(path) != os.devnull
            return (stepping if writes else really_open)(path, mode, *words, **options)

        return opening

    def _connecting(self, really_connect: Callable[..., Any]) -> Callable[..., Any]:
        fault = self

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *values: Any) -> Any:
                plain = sql.lstrip().upper()
                name = next((name for name in STEPS_OF_SQLITE if plain.startswith(name)), "")
                call = super().execute
                return fault.wrap(f"sqlite {name}", call)(sql, *values) if name else call(sql, *values)

        def connecting(*words: Any, **options: Any) -> Any:
            return really_connect(*words, factory=Connection, **options)

        return connecting


def die() -> None:
    """End this process as a power cut would, as far as it can tell."""
    os.kill(os.getpid(), signal.SIGKILL)


def _between_volumes(call: Callable[..., Any]) -> Callable[..., Any]:
    """A rename or link that does not lead into a trash or out of it, as when the trash is another volume."""

    def refusing(source: Any, target: Any, *words: Any, **options: Any) -> Any:
        if (TRASH in Path(source).parts) != (TRASH in Path(target).parts):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return call(source, target, *words, **options)

    return refusing
