"""Bring back what was removed, or delete it for good."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from dedup import console, workflow
from dedup.console import say
from dedup.errors import DedupError, command
from dedup.jobs.running import DONE, ERROR, INTERRUPTED, attempt, by_folder, code_of, for_each, list_skipped
from dedup.scan import real_folder
from dedup.trash import COPY, Outcome, Run, moment_before
from dedup.wording import (
    files,
    printable,
    size,
)


def undo(folders: Sequence[str | Path], run_id: str | None = None, only: Sequence[str] = ()) -> int:
    """Bring back the latest (or a named) run of each folder, or some files of it."""
    return for_each(folders, partial(_undo_one, folders, run_id, only))


def _undo_one(folders: Sequence[str | Path], run_id: str | None, only: Sequence[str], folder: str | Path) -> int:
    outcome = attempt(partial(workflow.undo, folder, run_id, files=only))
    if outcome is None:
        return INTERRUPTED
    end = ":" if outcome.files else "."
    act = "Removed the copies of" if outcome.how == COPY else "Brought back"
    say(f"{act} {files(outcome.files)} ({size(outcome.bytes)}) of run {outcome.run_id}{end}")
    by_folder(outcome)
    list_skipped(outcome.refused, "to know about")
    _mention_other_folders(folders, outcome)
    return code_of(outcome)


def purge(
    folders: Sequence[str | Path],
    run_id: str | None = None,
    *,
    older_than: str | None = None,
    assume_yes: bool = False,
) -> int:
    """Delete what lies in the trashes for good, or what has lain there so long, after asking with count and bytes.

    With ``assume_yes`` nobody was told of files whose keeper is gone: those stay in the trash.
    """
    before = moment_before(older_than) if older_than is not None else None
    wanted = [(folder, run) for folder in folders for run in workflow.runs_to_purge(folder, run_id, before)]
    if not wanted and older_than is not None:
        say(f"Nothing that was removed more than {older_than} ago lies in the trash.")
        return DONE
    if not wanted:
        say("The trash is empty." if run_id is None else f"No run {printable(run_id)} lies in the trash.")
        return DONE if run_id is None else ERROR
    if not assume_yes and not _purge_is_confirmed([run for _, run in wanted]):
        say("Nothing was changed.")
        return DONE
    code = DONE
    for folder, run in wanted:
        # Run by run, as they were shown: what was removed since is not meant.
        outcome = attempt(partial(workflow.purge, folder, run.id, last_copies=not assume_yes))
        if outcome is None:
            return INTERRUPTED
        say(f"Deleted {files(outcome.files)} ({size(outcome.bytes)}) of run {run.id} for good.")
        list_skipped(outcome.refused, "still in the trash")
        code = max(code, code_of(outcome))
    return code


def _purge_is_confirmed(runs: Sequence[Run]) -> bool:
    if not console.is_terminal():
        raise DedupError("Purging needs a confirmation, and there is no terminal to ask.", "Add --yes.")
    if alone := sum(run.without_keeper for run in runs):
        why = "the picture kept instead is gone or changed since, or lacks the RAW or film"
        say(f"For {files(alone)} {why}: these may be the last copies.")
    count, total = sum(run.files for run in runs), sum(run.bytes for run in runs)
    return console.confirm(f"Delete {files(count)} ({size(total)}) for good? They cannot be brought back.")


def _mention_other_folders(asked: Sequence[str | Path], outcome: Outcome) -> None:
    """Name the folders whose part of the run still lies in their trash."""
    roots = {str(real_folder(one)) for one in asked}
    others = [folder for folder in outcome.folders if folder not in roots and Path(folder).is_dir()]
    waiting = [folder for folder in others if any(run.id == outcome.run_id for run in workflow.runs(folder))]
    if waiting:
        say("This run also removed files from another folder: " + command("undo", *waiting, "--run", outcome.run_id))
