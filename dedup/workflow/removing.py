"""Carry out a plan, bring a run back, empty the trash."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from dedup import knowledge, metadata, settings, trash
from dedup.errors import DedupError
from dedup.progress import Report
from dedup.scan import real_folder
from dedup.store import Catalogue, Entry, Picture, folder_lock, has_database
from dedup.trash import Backup, Outcome, PastRun, Plan, Removal, Run


def complete_plan(plan: Plan, report: Report) -> Plan:
    """A plan with the files that belong to each picture, and what is lost with them; see ``trash.complete``."""
    return trash.complete(plan, report)


def remove(plan: Plan, report: Report, way: str = trash.TRASH, *, keep_metadata: bool = False) -> Outcome:
    """Carry out a plan; each file and its keeper are checked at the moment of removal.

    What lies in a folder that the settings protect by then stays, whatever the plan says.
    ``way`` is where the files go: trash, system-trash, hardlink, reflink, delete or folder:DIR.
    With ``keep_metadata`` what only the removed pictures say is written to sidecars beside the kept ones.
    """
    chosen = trash.way_of(way, plan.folders)
    knowing = knowledge.Knowing()
    # Read before the files move.
    known = {row: knowing.of(Path(row.file.path)) for row in plan.removals if keep_metadata and row.lost}
    outcome = trash.execute(_protecting(plan), lambda folder: Catalogue(folder, create=True), report, chosen)
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
            written, unwritten = trash.write_sidecars(store, outcome.run_id, wanted)
        outcome.sidecars += written
        outcome.unwritten += unwritten


def back_up(plan: Plan, sets: Iterable[Picture], place: str | Path, report: Report) -> Backup:
    """Copy every file the plan names, and those of ``sets``, to a new folder in ``place``; see ``trash.back_up``."""
    named = [stamp for row in plan.removals for stamp in (*row.files, row.keeper)]
    return trash.back_up([*named, *map(trash.stamp, sets)], plan.folders, Path(place), report)


def dry_run(plan: Plan, report: Report, way: str = trash.TRASH) -> Outcome:
    """What ``remove`` would do now; changes nothing."""
    return trash.inspect(_protecting(plan), report, trash.way_of(way, plan.folders))


def organise(plan: Plan, place: str, report: Report, *, copies: bool = False, flat: bool = False) -> Outcome:
    """Move or copy a plan's files to a folder; each is checked by itself. ``undo`` takes it back."""
    # A copy takes nothing from a protected folder.
    wanted = replace(plan, protected=()) if copies else _protecting(plan)
    return trash.organise(
        wanted, place, lambda folder: Catalogue(folder, create=True), report, copies=copies, flat=flat
    )


def runs(folder: str | Path) -> list[Run]:
    """The removal runs in a folder's trash, newest first."""
    root = real_folder(folder)
    if not trash.has_trash(root):
        return []
    with Catalogue(root, create=True, even_full=True) as store:
        return trash.runs_in_trash(store)


def history(folder: str | Path) -> list[PastRun]:
    """Every run that took files from a folder, newest first, undone and purged ones too."""
    root = real_folder(folder)
    if not has_database(root) and not trash.has_trash(root):
        return []
    runs(root)  # what lies in the trash without a row gets one
    with Catalogue(root, create=True, even_full=True) as store:
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


def _protecting(plan: Plan) -> Plan:
    """The plan with the protected folders of the settings beside its own; raises DedupError where these are unknown."""
    settings.require_folders()
    return replace(plan, protected=tuple(dict.fromkeys((*plan.protected, *settings.load().protected))))


def _with_trash(folder: str | Path) -> Catalogue:
    """The database of a folder that has a trash; a lost database is made anew, none is made elsewhere."""
    root = real_folder(folder)
    if not trash.has_trash(root):
        raise DedupError(f"The trash of {root} is empty.", "There is nothing to bring back or to purge.")
    return Catalogue(root, create=True, even_full=True)
