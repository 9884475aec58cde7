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
    """The line that runs a subcommand as this run was started, to be pasted into a shell."""
    if program() == "dedup":
        return " ".join(_for_a_shell(word) for word in ("dedup", *words))
    python = Path(sys.executable or "python")
    near = python.relative_to(Path.cwd()) if python.is_relative_to(Path.cwd()) else python
    script = [sys.argv[0]] if Path(sys.argv[0]).name == "detector.py" else ["detector.py"]
    if program() == "python -m dedup":
        script = ["-m", "dedup"]
    return " ".join(_for_a_shell(word) for word in (str(near), *script, *words))


def program() -> str:
    """How this run was started: ``dedup`` (installed), ``python -m dedup``, or ``detector.py``."""
    started = Path(sys.argv[0]) if sys.argv else Path()
    if started.stem == "__main__" and started.parent.name == "dedup":
        return "python -m dedup"
    return "dedup" if started.stem == "dedup" else "detector.py"


def _for_a_shell(word: str) -> str:
    if os.name == "nt" or shlex.quote(word) == word:
        return f'"{word}"' if os.path.isabs(word) or " " in word else word
    if any(_is_unseen(character) for character in word):
        # Bash, zsh and others read escapes in $'...': a line that can be shown, and pasted all the same.
        return "$'" + "".join(map(_escaped_for_a_shell, word)) + "'"
    return shlex.quote(word)


def _is_unseen(character: str) -> bool:
    return not character.isprintable() or "\ufe00" <= character <= "\ufe0f"  # variation selectors


def _escaped_for_a_shell(character: str) -> str:
    if character in "'\\":
        return "\\" + character
    if not _is_unseen(character):
        return character
    if ord(character) < 256 or "\udc80" <= character <= "\udcff":  # the latter: bytes that are no UTF-8
        return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))
    return f"\\U{ord(character):08x}"
