"""Errors a user can act on: one sentence saying what is wrong, one saying what to do."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path


class DedupError(Exception):
    """What is wrong, in one sentence, and the remedy, in another.

    Front ends print both and no traceback; library callers can read the two parts.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".rstrip()


class UnreadablePicture(DedupError):
    """A file that cannot be shown as a picture; ``message`` is the reason that is listed.

    ``may_pass``: the reason lies outside the file (a drive, a permission, memory, a setting).
    """

    def __init__(self, message: str, *, may_pass: bool = False) -> None:
        super().__init__(message)
        self.may_pass = may_pass


class WeightsUnavailable(DedupError):
    """An encoder whose weights are not on this machine and cannot be fetched."""


class FolderBusy(DedupError):
    """A folder that another process is working on just now."""


class DiskFull(DedupError):
    """A disk without room for what must be written; deleting something may help."""


def command(*words: str) -> str:
    """The line that runs a subcommand with this very Python, to be pasted into a shell."""
    python = Path(sys.executable or "python")
    near = python.relative_to(Path.cwd()) if python.is_relative_to(Path.cwd()) else python
    script = sys.argv[0] if Path(sys.argv[0]).name == "detector.py" else "detector.py"
    return " ".join(_for_a_shell(word) for word in (str(near), script, *words))


def _for_a_shell(word: str) -> str:
    if os.name == "nt" or shlex.quote(word) == word:
        return f'"{word}"' if os.path.isabs(word) or " " in word else word
    return shlex.quote(word)
