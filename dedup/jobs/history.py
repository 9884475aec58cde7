"""What was removed from a folder, and when: as lines, and as values for scripts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dedup import ways, workflow
from dedup.console import say
from dedup.errors import DedupError
from dedup.jobs import DONE
from dedup.scan import real_folder
from dedup.store import Entry
from dedup.trash import COPY, IN_A_CHOSEN_FOLDER, PastRun
from dedup.wording import files, printable, size, when

# What has become of a file, by the state of its row; of those in a folder chosen "moved" means there.
_STATES = {
    "planned": "not done yet",
    "moved": "in the trash",
    "failed": "stayed",
    "restoring": "on its way back",
    "restored": "brought back",
    "purging": "being deleted",
    "purged": "deleted",
    "lost": "lost",
    "handed over": "in the system's trash",
    "shared": "sharing its bytes",
    "copied": "copied",
}


def show(folder: str | Path, run_id: str | None = None) -> int:
    """List the runs of a folder, newest first, or the files of one; an exit code."""
    root = real_folder(folder)
    past = workflow.history(folder)
    if run_id is not None:
        for entry in workflow.files_of_run(folder, run_id):
            say(_file_line(entry))
        return DONE
    if not past:
        say(f"Nothing was ever removed from {printable(root)}.")
        return DONE
    say(f"{printable(root)}:")
    for run in past:
        say(_run_line(run))
    return DONE


def as_values(folders: Sequence[str | Path], run_id: str | None = None) -> list[dict[str, Any]]:
    """What ``history --json`` prints: a list of runs, with the files of each where one run is asked for.

    The runs of every folder are listed by themselves; raises DedupError when the run is in none of them.
    """
    rows = []
    for folder in folders:
        root = real_folder(folder)
        for run in workflow.history(folder):
            if run_id in (None, run.id):
                rows.append(_run_values(root, run))
                if run_id is not None:
                    rows[-1]["files"] = [_file_values(root, entry) for entry in workflow.files_of_run(folder, run_id)]
    if run_id is not None and not rows:
        raise DedupError(f"No run {run_id} is known here.", "history without --run lists those that are.")
    return rows


def _run_line(run: PastRun) -> str:
    states = ", ".join(f"{count:,} {state_in_words(state, run.how)}" for state, count in run.states.items())
    taken = f"{files(run.files)}, {size(run.bytes)}"
    return f"  {run.id}  {when(run.started_at)}  {taken}, {ways.way_in_words(run.how)}: {states}"


def _file_line(entry: Entry) -> str:
    state = state_in_words(entry.state, entry.how)
    where = f" as {printable(entry.restored_path)}" if entry.restored_path else ""
    if entry.target and entry.state in ("moved", "copied"):
        where = f" ({printable(entry.trash_path)})"
    reason = f": {printable(entry.reason)}" if entry.reason else ""
    return f"  {printable(entry.path)}  {size(entry.size)}, {state}{where}{reason}"


def state_in_words(state: str, how: str) -> str:
    """What has become of a file: ``in the trash``, ``brought back``, ``stayed``."""
    if state == "restored" and how == COPY:
        return "taken back (the copy removed)"
    if state == "moved" and how in IN_A_CHOSEN_FOLDER:
        return "in the folder chosen"
    return _STATES.get(state, state)


def _run_values(root: Path, run: PastRun) -> dict[str, Any]:
    return {
        "folder": os.fspath(root),
        "run": run.id,
        "started_at": run.started_at,
        "how": run.how,
        "folders": list(run.folders),
        "count": run.files,
        "bytes": run.bytes,
        "undoable": run.undoable,
        "states": run.states,
    }


def _file_values(root: Path, entry: Entry) -> dict[str, Any]:
    return {
        "path": os.fspath(root / entry.path),
        "bytes": entry.size,
        "digest": entry.digest.hex(),
        "how": entry.how,
        "state": entry.state,
        "reason": entry.reason,
        "lies_at": os.fspath(root / entry.trash_path) if entry.state in ("moved", "copied") else "",
        "restored_as": os.fspath(root / entry.restored_path) if entry.restored_path else "",
        "keeper": entry.keeper,
    }
