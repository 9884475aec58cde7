"""Write the reports that were asked for and say where they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from dedup import jobs
from dedup.console import note
from dedup.wording import printable
from dedup.workflow import Found


def require_places(paths: Sequence[Path], summary: Path | None, folders: Sequence[Path], *, force: bool) -> None:
    """Raise DedupError where one of the files must not be written, before any work is done."""
    if not paths and summary is None:
        return
    from dedup.reports import require_place

    for path in paths:
        require_place(path, folders, force=force)
    if summary is not None:
        require_place(summary, folders, force=force, endings=(".png",))


def write(paths: Sequence[Path], summary: Path | None, found: Found, values: Mapping[str, Any], *, force: bool) -> None:
    """Write each report; on standard error, where it is."""
    if not paths and summary is None:
        return
    from dedup.reports import write_report, write_summary

    for path in paths:
        for written in jobs.attempt(partial(write_report, path, found, values, force=force)) or ():
            note(f"Report: {printable(written)}")
    if summary is not None:
        write_summary(summary, values, force=force)
        note(f"Summary: {printable(summary)}")
