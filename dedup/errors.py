"""Errors a user can act on: one sentence saying what is wrong, one saying what to do."""

from __future__ import annotations


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
    """A file that cannot be shown as a picture; ``message`` is the reason that is listed."""


class WeightsUnavailable(DedupError):
    """An encoder whose weights are not on this machine and cannot be fetched."""
