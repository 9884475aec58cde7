"""Carry out a plan, bring a run back, empty the trash."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dedup import settings, trash
from dedup.errors import DedupError
from dedup.progress import Report
from dedup.scan import real_folder
from dedup.store import (
    Catalogue,
)
from dedup.trash import Outcome, Plan, Run


def remove(plan: Plan, report: Report) -> Outcome:
    """Carry out a plan; each file and its keeper are checked at the moment of removal.

    What lies in a folder that the settings protect by then stays, whatever the plan says.
    """
    return trash.execute(_protecting(plan), lambda folder: Catalogue(folder, create=True), report)


def dry_run(plan: Plan, report: Report) -> Outcome:
    """What ``remove`` would do now; changes nothing."""
    return trash.inspect(_protecting(plan), report)


def runs(folder: str | Path) -> list[Run]:
    """The removal runs in a folder's trash, newest first."""
    root = real_folder(folder)
    if not trash.has_trash(root):
        return []
    with Catalogue(root, create=True) as store:
        return trash.runs_in_trash(store)


def undo(folder: str | Path, run_id: str | None, report: Report) -> Outcome:
    """Bring back a run of a folder (the latest by default)."""
    with _with_trash(folder) as store:
        return trash.undo(store, run_id, report)


def purge(folder: str | Path, run_id: str | None, report: Report, *, last_copies: bool = False) -> Outcome:
    """Delete a run (or everything) from a folder's trash for good; see ``trash.purge``."""
    with _with_trash(folder) as store:
        return trash.purge(store, run_id, report, last_copies=last_copies)


def _protecting(plan: Plan) -> Plan:
    """The plan with the protected folders of the settings beside its own."""
    return replace(plan, protected=tuple(dict.fromkeys((*plan.protected, *settings.load().protected))))


def _with_trash(folder: str | Path) -> Catalogue:
    """The database of a folder that has a trash; a lost database is made anew, none is made elsewhere."""
    root = real_folder(folder)
    if not trash.has_trash(root):
        raise DedupError(f"The trash of {root} is empty.", "There is nothing to bring back or to purge.")
    return Catalogue(root, create=True)
