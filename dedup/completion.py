"""Completion of commands and options in bash, zsh and fish, by argcomplete."""

from __future__ import annotations

import argparse
import os

from dedup.errors import DedupError

SHELLS = ("bash", "zsh", "fish")
# As installed, and as the file of the checkout when it is made executable.
PROGRAMS = ("dedup", "detector.py")


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer a shell that asks what could come next, and end; otherwise nothing."""
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser)


def shell_code(shell: str) -> str:
    """What a shell is to run for it to ask; raises DedupError without argcomplete."""
    try:
        from argcomplete.shell_integration import shellcode
    except ModuleNotFoundError as problem:
        raise DedupError("Completion needs the package argcomplete.", "Run: pip install argcomplete") from problem
    return "\n".join(shellcode([name], shell=shell) for name in PROGRAMS)
