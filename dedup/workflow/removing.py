"""Carry out a plan, bring a run back, empty the trash."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from dedup import knowledge, metadata, trash
from dedup.errors import DedupError
from dedup.progress import Report
from dedup.scan import real_folder
from dedup.store import Catalogue, Picture, folder_lock
from dedup.trash import Backup, Outcome, Plan, Removal, Run


def complete_plan(plan: Plan, report: Report) -> Plan:
    """A plan with the files that belong to each picture, and what is lost with them; see ``trash.complete``."""
    return trash.complete(plan, report)


def remove(plan: Plan, report: Report, *, keep_metadata: bool = False) -> Outcome:
    """Carry out a plan; each file and its keeper are checked at the moment of removal.

    With ``keep_metadata`` what only the removed pictures say is written to sidecars beside the kept ones.
    """
    knowing = knowledge.Knowing()
    # Read before the files move.
    known = {row: knowing.of(Path(row.file.path)) for row in plan.removals if keep_metadata and row.lost}
    outcome = trash.execute(plan, lambda folder: Catalogue(folder, create=True), report)
    _write_sidecars(known, knowing, outcome)
    return outcome


def has_metadata_to_keep(plan: Plan) -> bool:
    """Whether a picture of the plan says anything of which the picture kept instead says nothing."""
    knowing = knowledge.Knowing()
    return any(
        knowledge.added(knowing.of(Path(row.file.path)), knowing.of(Path(row.keeper.path))) is not None
        for row in plan.removals
        if row.lost
    )


def _write_sidecars(known: dict[Removal, metadata.Metadata], knowing: knowledge.Knowing, outcome: Outcome) -> None:
    """Write down what pictures that are gone now have said, in the name of the folder each keeper's first was in."""
    refused = {row.path for row in outcome.refused}
    said: dict[str, list[Removal]] = {}
    for row in known:
        if row.file.path not in refused and not os.path.lexists(row.file.path):
            said.setdefault(row.keeper.path, []).append(row)
    by_folder: dict[str, dict[Path, metadata.Metadata]] = {}
    for path, rows in said.items():
        keeper = Path(path)
        if new := knowledge.added(metadata.merged([known[row] for row in rows]), knowing.of(keeper)):
            by_folder.setdefault(rows[0].folder, {})[keeper] = new
    for folder, wanted in by_folder.items():
        with folder_lock(Path(folder)), Catalogue(Path(folder), create=True) as store:
            written, notes = trash.write_sidecars(store, outcome.run_id, wanted)
        outcome.sidecars += written
        outcome.notes += notes


def back_up(plan: Plan, sets: Iterable[Picture], place: str | Path, report: Report) -> Backup:
    """Copy every file the plan names, and those of ``sets``, to a new folder in ``place``; see ``trash.back_up``."""
    named = [stamp for row in plan.removals for stamp in (row.file, row.keeper)]
    return trash.back_up([*named, *map(trash.stamp, sets)], plan.folders, Path(place), report)


def dry_run(plan: Plan, report: Report) -> Outcome:
    """What ``remove`` would do now; changes nothing."""
    return trash.inspect(plan, report)


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


def _with_trash(folder: str | Path) -> Catalogue:
    """The database of a folder that has a trash; a lost database is made anew, none is made elsewhere."""
    root = real_folder(folder)
    if not trash.has_trash(root):
        raise DedupError(f"The trash of {root} is empty.", "There is nothing to bring back or to purge.")
    return Catalogue(root, create=True)
