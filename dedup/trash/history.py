"""What was ever removed from a folder: every run the journal knows, and the files of one."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dedup.errors import DedupError, FolderBusy
from dedup.store import Catalogue, Entry, Journal, folder_lock
from dedup.trash.recovery import settle

# States in which a file is where undo can fetch it.
UNDOABLE = ("moved", "copied")
DONE_FOR_GOOD = ("handed over", "purged", "shared")
UNITS = {"d": 1, "w": 7, "m": 30, "y": 365}


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run as the journal of this folder knows it; ``states`` counts its files by state, those that failed too.

    ``files`` and ``bytes`` are those the run took; ``folders`` are all it touched.
    """

    id: str
    started_at: str
    how: str
    folders: tuple[str, ...]
    files: int
    bytes: int
    states: dict[str, int]

    @property
    def undoable(self) -> int:
        """How many of its files undo can bring back."""
        return sum(self.states.get(state, 0) for state in UNDOABLE)


def history(store: Catalogue) -> list[PastRun]:
    """Every run of a folder, newest first, undone and purged ones too."""
    _settle_if_free(store)
    journal = Journal(store)
    entries: dict[str, list[Entry]] = {}
    for entry in journal.entries():
        entries.setdefault(entry.run_id, []).append(entry)
    return [
        _past_run(run_id, started_at, folders, entries[run_id])
        for run_id, started_at, folders in journal.runs()
        if run_id in entries
    ]


def files_of(store: Catalogue, run_id: str) -> list[Entry]:
    """The files of one run with their states; raises DedupError when there is no such run."""
    _settle_if_free(store)
    if entries := Journal(store).entries(run_id):
        return entries
    raise DedupError(f"No run {run_id} is known of {store.root}.", "history lists those that are.")


def only(entries: Sequence[Entry], names: Sequence[str], root: Path) -> list[Entry]:
    """Those of the entries that the names mean, absolute or as they were in the folder.

    Raises DedupError naming the first that is none of them.
    """
    known = {entry.path: entry for entry in entries}
    chosen: dict[int, Entry] = {}
    for name in names:
        entry = next((known[path] for path in _readings(name, root) if path in known), None)
        if entry is None:
            raise DedupError(
                f"{name} is not one of the files that this run can bring back.",
                "Name a file as history FOLDER --run ID lists it.",
            )
        chosen[entry.id] = entry
    return list(chosen.values())


def refuse_what_cannot_be_undone(past: Sequence[PastRun], run_id: str | None) -> None:
    """Raises DedupError where the run asked for, or the latest, went where this tool cannot fetch it.

    An older run is not brought back in its place: that is not what was asked for.
    """
    wanted = next((run for run in past if run_id in (None, run.id) and run.files), None)
    if wanted is None or any(state not in DONE_FOR_GOOD for state in wanted.states if state != "failed"):
        return
    where = {
        "system-trash": ("was handed to the system's trash.", "Bring the files back there, by the system's own means."),
        "delete": ("was deleted for good.", "There is nothing to bring back."),
        "reflink": (
            "left every file in its place, sharing its bytes with the picture kept.",
            "There is nothing to bring back: each is a file of its own.",
        ),
    }
    if wanted.how in where:
        what, remedy = where[wanted.how]
        older = "" if run_id else " For an older run add --run ID; history lists them."
        raise DedupError(f"Run {wanted.id} {what}", remedy + older)


def moment_before(age: str, now: datetime | None = None) -> datetime:
    """The moment an age such as 30d, 2w, 6m or 1y ago (a month is 30 days); raises DedupError for other text."""
    number, unit = age.strip()[:-1], age.strip()[-1:].lower()
    try:
        if not (number.isascii() and number.isdigit()) or unit not in UNITS:
            raise ValueError(age)
        return (now or datetime.now(UTC)) - timedelta(days=int(number) * UNITS[unit])
    except (ValueError, OverflowError):
        raise DedupError(
            f"{age} is not an age.", "Give a number and a unit: 30d, 2w, 6m or 1y (days, weeks, months, years)."
        ) from None


def is_older(started_at: str, moment: datetime) -> bool:
    """Whether a run started before a moment; one whose time cannot be read counts as new."""
    try:
        started = datetime.fromisoformat(started_at)
    except ValueError:
        return False
    return (started if started.tzinfo else started.replace(tzinfo=UTC)) < moment


def _past_run(run_id: str, started_at: str, folders: list[str], entries: list[Entry]) -> PastRun:
    taken = [entry for entry in entries if entry.state != "failed"]
    states = dict(sorted(Counter(entry.state for entry in entries).items()))
    size = sum(entry.size for entry in taken)
    return PastRun(run_id, started_at, entries[0].how, tuple(folders), len(taken), size, states)


def _readings(name: str, root: Path) -> list[str]:
    """What a name may mean, relative to the folder with ``/`` between parts."""
    path = Path(name)
    readings = [path.as_posix()]
    for absolute in (path, Path(os.path.abspath(path)), _resolved(path)):
        if absolute.is_absolute() and absolute.is_relative_to(root):
            readings.append(absolute.relative_to(root).as_posix())
    return readings


def _resolved(path: Path) -> Path:
    """A path with the links of its folder resolved; the file itself need not be there any more."""
    try:
        return path.parent.resolve() / path.name
    except (OSError, RuntimeError, ValueError):
        return path


def _settle_if_free(store: Catalogue) -> None:
    try:
        with folder_lock(store.root):
            settle(store)
    except FolderBusy:
        return  # another process works on it: as it was last settled
