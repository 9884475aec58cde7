"""Carry out a plan, bring a run back, empty the trash."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from dedup import trash
from dedup.errors import DedupError
from dedup.progress import Report
from dedup.scan import real_folder
from dedup.store import (
    Catalogue,
    Entry,
    has_database,
)
from dedup.trash import Outcome, PastRun, Plan, Run


def remove(plan: Plan, report: Report, way: str = trash.TRASH) -> Outcome:
    """Carry out a plan; each file and its keeper are checked at the moment of removal.

    ``way`` is where the files go: trash, system-trash, hardlink, reflink, delete or folder:DIR.
    """
    chosen = trash.way_of(way, plan.folders)
    return trash.execute(plan, lambda folder: Catalogue(folder, create=True), report, chosen)


def dry_run(plan: Plan, report: Report, way: str = trash.TRASH) -> Outcome:
    """What ``remove`` would do now; changes nothing."""
    return trash.inspect(plan, report, trash.way_of(way, plan.folders))


def organise(plan: Plan, place: str, report: Report, *, copies: bool = False, flat: bool = False) -> Outcome:
    """Move or copy a plan's files to a folder; each is checked by itself. ``undo`` takes it back."""
    return trash.organise(plan, place, lambda folder: Catalogue(folder, create=True), report, copies=copies, flat=flat)


def runs(folder: str | Path) -> list[Run]:
    """The removal runs in a folder's trash, newest first."""
    root = real_folder(folder)
    if not trash.has_trash(root):
        return []
    with Catalogue(root, create=True) as store:
        return trash.runs_in_trash(store)


def history(folder: str | Path) -> list[PastRun]:
    """Every run that took files from a folder, newest first, undone and purged ones too."""
    root = real_folder(folder)
    if not has_database(root) and not trash.has_trash(root):
        return []
    runs(root)  # what lies in the trash without a row gets one
    with Catalogue(root, create=True) as store:
        return trash.history(store)


def files_of_run(folder: str | Path, run_id: str) -> list[Entry]:
    """The files of one run of a folder with their states; raises DedupError when there is no such run."""
    with _with_trash(folder) as store:
        return trash.files_of(store, run_id)


def undo(folder: str | Path, run_id: str | None, report: Report, files: Sequence[str] = ()) -> Outcome:
    """Bring back a run of a folder (the latest by default), or those of its files that are named."""
    with _with_trash(folder) as store:
        return trash.undo(store, run_id, report, files)


def purge(folder: str | Path, run_id: str | None, report: Report, *, last_copies: bool = False) -> Outcome:
    """Delete a run (or everything) from a folder's trash for good; see ``trash.purge``."""
    with _with_trash(folder) as store:
        return trash.purge(store, run_id, report, last_copies=last_copies)


def runs_to_purge(folder: str | Path, run_id: str | None = None, before: datetime | None = None) -> list[Run]:
    """The runs whose files lie in a folder's trash: one, or all, or those that started before a moment."""
    return [
        run
        for run in runs(folder)
        if run.in_trash and run_id in (None, run.id) and (before is None or trash.is_older(run.started_at, before))
    ]


def _with_trash(folder: str | Path) -> Catalogue:
    """The database of a folder that has a trash; a lost database is made anew, none is made elsewhere."""
    root = real_folder(folder)
    if not trash.has_trash(root):
        raise DedupError(f"The trash of {root} is empty.", "There is nothing to bring back or to purge.")
    return Catalogue(root, create=True)
