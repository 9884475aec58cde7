"""What a long job tells its caller while it works.

Core functions take a ``Report`` and call it with events. A report that raises
``Cancelled`` stops the job at the next safe point: work is committed per batch first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


class Cancelled(Exception):
    """Raised by a report to stop a job; everything reported as done stays done."""


@dataclass(frozen=True, slots=True)
class Progress:
    """``done`` of ``total`` units of ``what``; ``unreadable`` counts pictures given up on."""

    what: str
    done: int
    total: int
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file left out, by absolute path, and the reason in words."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Notice:
    """One line a person should see."""

    text: str


Event = Progress | Skipped | Notice
Report = Callable[[Event], None]


def silent(event: Event) -> None:
    """A report that keeps everything to itself."""
