"""What lies in the trash, run by run; undo brings it back, purge frees the space."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dedup import images
from dedup.errors import DedupError
from dedup.progress import Cancelled, Progress, Report, Skipped
from dedup.scan import TRASH_NAME
from dedup.store import Catalogue, Entry, Journal, folder_lock
from dedup.trash import moves
from dedup.trash.recovery import settle
from dedup.trash.removal import Outcome


@dataclass(frozen=True, slots=True)
class Run:
    """One removal run as far as it still lies in this folder's trash; ``folders`` are all it touched."""

    id: str
    started_at: str
    folders: tuple[str, ...]
    files: int
    bytes: int


def runs_in_trash(store: Catalogue) -> list[Run]:
    """The runs with files in the trash, newest first; raises DedupError while another process works there."""
    with folder_lock(store.root):
        return _settled_runs(store)


def undo(store: Catalogue, run_id: str | None, report: Report) -> Outcome:
    """Bring back every file of a run (the latest by default), byte for byte, with times and permissions.

    Nothing is overwritten: where another file took the place, the file comes back beside
    it as "name (restored).ext", which is listed. Raises DedupError when there is no such run.
    """
    journal = Journal(store)
    folder = os.fspath(store.root)
    with folder_lock(store.root):
        run = _chosen(_settled_runs(store), run_id, store.root)
        outcome = Outcome(run.id, run.folders)

        def restore(entry: Entry) -> None:
            outcome.refused += _restore(store.root, journal, entry)
            if not os.path.lexists(store.root / entry.trash_path):
                outcome.count(folder, entry.size)

        _for_each(journal.entries(run.id, ("moved",)), restore, outcome, "files restored", report)
        _tidy(store, run.id)
    return outcome


def purge(store: Catalogue, run_id: str | None, report: Report) -> Outcome:
    """Delete the files of one run, or of every run, from the trash for good."""
    journal = Journal(store)
    outcome = Outcome(run_id or "")
    folder = os.fspath(store.root)

    def erase(entry: Entry) -> None:
        journal.mark([entry], "purging")
        try:
            moves.erase(store.root / entry.trash_path)
        except FileNotFoundError:
            pass  # already gone, which is what was asked for
        except OSError as problem:
            journal.mark([entry], "moved")
            outcome.refused.append(Skipped(os.fspath(store.root / entry.trash_path), str(problem.strerror or problem)))
            return
        journal.mark([entry], "purged")
        outcome.count(folder, entry.size)

    with folder_lock(store.root):
        runs = _settled_runs(store)
        wanted = runs if run_id is None else [_chosen(runs, run_id, store.root)]
        entries = [entry for run in wanted for entry in journal.entries(run.id, ("moved",))]
        _for_each(entries, erase, outcome, "files purged", report)
        for run in wanted:
            _tidy(store, run.id)
    return outcome


def _settled_runs(store: Catalogue) -> list[Run]:
    settle(store)
    _adopt_strangers(store)
    journal = Journal(store)
    found = []
    for run_id, started_at, folders in journal.runs():
        entries = journal.entries(run_id, ("moved",))
        if entries:
            size = sum(entry.size for entry in entries)
            found.append(Run(run_id, started_at, tuple(folders), len(entries), size))
    return found


def _for_each(entries: list[Entry], act: Callable[[Entry], None], outcome: Outcome, what: str, report: Report) -> None:
    try:
        for done, entry in enumerate(entries):
            report(Progress(what, done, len(entries), len(outcome.refused)))
            act(entry)
        report(Progress(what, len(entries), len(entries), len(outcome.refused)))
    except Cancelled:
        outcome.interrupted = True


def _restore(root: Path, journal: Journal, entry: Entry) -> list[Skipped]:
    """Put one file back; what a person should know about it comes back as at most one line."""
    trash, place = root / entry.trash_path, root / entry.path
    if not os.path.lexists(trash):
        if _is_same_picture(place, entry):
            journal.mark([entry], "restored")
            return []
        journal.mark([entry], "lost", "no longer in the trash")
        return [Skipped(os.fspath(trash), "no longer in the trash; someone else removed it")]
    target = _free_place(place)
    restored_path = target.relative_to(root).as_posix() if target != place else ""
    journal.mark([entry], "restoring", "", restored_path)
    try:
        moves.move(trash, target)
    except OSError as problem:
        journal.mark([entry], "moved")
        return [Skipped(os.fspath(place), f"cannot be moved back: {problem.strerror or problem}")]
    journal.mark([entry], "restored", "", restored_path)
    if restored_path:
        return [Skipped(os.fspath(place), f"another file is in its place now; restored as {target.name}")]
    return []


def _free_place(place: Path) -> Path:
    if not os.path.lexists(place):
        return place
    number = 1
    while True:
        extra = " (restored)" if number == 1 else f" (restored {number})"
        candidate = place.with_name(place.stem + extra + place.suffix)
        if not os.path.lexists(candidate):
            return candidate
        number += 1


def _is_same_picture(place: Path, entry: Entry) -> bool:
    try:
        return os.lstat(place).st_size == entry.size and images.digest(place) == entry.digest
    except OSError:
        return False


def _chosen(runs: list[Run], run_id: str | None, root: Path) -> Run:
    if not runs:
        raise DedupError(f"The trash of {root} is empty.", "There is nothing to bring back or to purge.")
    if run_id is None:
        return runs[0]
    for run in runs:
        if run.id == run_id:
            return run
    raise DedupError(
        f"No run {run_id} lies in the trash of {root}.", "The runs are: " + ", ".join(run.id for run in runs)
    )


def _tidy(store: Catalogue, run_id: str) -> None:
    moves.prune(store.root / TRASH_NAME / run_id)
    moves.remove_empty_folders(store.root / TRASH_NAME, store.root / TRASH_NAME)


def _adopt_strangers(store: Catalogue) -> None:
    """Give journal rows to files in the trash that have none, as after the database was lost."""
    trash = store.root / TRASH_NAME
    if not trash.is_dir():
        return
    journal = Journal(store)
    known = {entry.trash_path for entry in journal.entries()}
    for run_folder in sorted(path for path in trash.iterdir() if path.is_dir() and not path.is_symlink()):
        entries = []
        for path in sorted(run_folder.rglob("*")):
            trash_path = path.relative_to(store.root).as_posix()
            if path.is_file() and not path.is_symlink() and trash_path not in known:
                entries.append(_stranger(run_folder, path, trash_path))
        if entries:
            written = journal.begin(run_folder.name, [os.fspath(store.root)], entries)
            journal.mark(written, "moved")


def _stranger(run_folder: Path, path: Path, trash_path: str) -> Entry:
    status = path.stat()
    return Entry(
        0,
        run_folder.name,
        path.relative_to(run_folder).as_posix(),
        trash_path,
        "",
        status.st_size,
        status.st_mtime_ns,
        images.digest(path),
        "",
        0.0,
        f"found in the trash on {datetime.now(UTC):%Y-%m-%d}",
    )
