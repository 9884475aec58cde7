"""What lies in the trash, run by run; undo brings it back, purge frees the space."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from dedup import images
from dedup.errors import DedupError, DiskFull, FolderBusy
from dedup.progress import Cancelled, Progress, Report, Skipped
from dedup.scan import TRASH_NAME
from dedup.store import Catalogue, Entry, Journal, database_path, folder_lock
from dedup.trash import linking, moves, units
from dedup.trash.checks import is_in_trash, leads_inside
from dedup.trash.elsewhere import MISSING, is_away, take_back_copy
from dedup.trash.history import UNDOABLE, history, only, refuse_what_cannot_be_undone
from dedup.trash.recovery import RUN_ID, UNSETTLED, require_folder, require_writable, settle, trash_of
from dedup.trash.removal import Outcome
from dedup.trash.sidecars import remove_sidecars
from dedup.trash.ways import COPY, HARD_LINK, IN_A_CHOSEN_FOLDER, TRASH

LAST_COPY = "the picture kept instead is gone or changed, or has no equal RAW or film: this may be the last copy"
NOT_OURS = "a link leads out of the trash here; left as it is"


@dataclass(frozen=True, slots=True)
class Run:
    """One run as far as it can still be undone; ``folders`` are all it touched, ``how`` is the way it took.

    ``without_keeper`` counts the files that changed in the trash, or whose kept picture is gone or changed since.
    """

    id: str
    started_at: str
    folders: tuple[str, ...]
    files: int
    bytes: int
    without_keeper: int
    how: str = TRASH

    @property
    def in_trash(self) -> bool:
        """Whether its files lie in the trash, and not in a folder a person chose."""
        return self.how not in IN_A_CHOSEN_FOLDER


def has_trash(root: Path) -> bool:
    """Whether anything may lie in a folder's trash, or be known to have lain there."""
    return os.path.lexists(root / TRASH_NAME) or database_path(root).exists()


def runs_in_trash(store: Catalogue) -> list[Run]:
    """The runs that can be undone, newest first; as they were last settled while another process works."""
    try:
        with folder_lock(store.root, "looking into its trash"):
            return _settled_runs(store)
    except FolderBusy:
        return _runs(store)


def files_in_trash(store: Catalogue) -> int:
    """How many files the journal knows in the trash."""
    entries = Journal(store).entries(states=("moved",))
    return sum(entry.how not in IN_A_CHOSEN_FOLDER for entry in entries)


def undo(store: Catalogue, run_id: str | None, report: Report, files: Sequence[str] = ()) -> Outcome:
    """Bring back all files of a run (the latest by default), or those named, byte for byte, with times and permissions.

    Nothing is overwritten: where another file took the place, the file comes back beside
    it as "name (restored).ext", which is listed. Raises DedupError when there is no such run.
    """
    journal = Journal(store)
    with folder_lock(store.root, "bringing pictures back"):
        require_writable(store.root)
        runs = _settled_runs(store)
        refuse_what_cannot_be_undone(history(store), run_id)
        run = _chosen(runs, run_id, store.root)
        outcome = Outcome(run.id, run.folders, how=run.how)
        entries = journal.entries(run.id, UNDOABLE)
        _for_each(
            _with_units(journal, only(entries, files, store.root)) if files else entries,
            lambda entry: _restore(store.root, journal, entry, outcome),
            outcome,
            "files restored",
            report,
        )
        if not outcome.interrupted and not journal.entries(run.id, ("moved",)):
            outcome.refused += remove_sidecars(store, run.id)
        _tidy(store, run.id)
    return outcome


def _with_units(journal: Journal, entries: Sequence[Entry]) -> list[Entry]:
    """Entries with those that move together with them, as one picture and its files do."""
    found = [one for entry in entries for one in journal.unit_of(entry) if one.state in UNDOABLE]
    return list({one.id: one for one in found}.values())


def purge(store: Catalogue, run_id: str | None, report: Report, *, last_copies: bool = False) -> Outcome:
    """Delete the files of one run, or of every run, from the trash for good; a folder a person chose is no trash.

    A file whose keeper is gone or changed since may be the last copy: it stays, and is listed,
    unless ``last_copies`` says that a person was told and wants it.
    """
    journal = Journal(store)
    outcome = Outcome(run_id or "")
    with folder_lock(store.root, "emptying its trash"):
        require_writable(store.root)
        runs = [run for run in _settled_runs(store) if run.in_trash]
        wanted = runs if run_id is None else [_chosen(runs, run_id, store.root)]
        _for_each(
            [entry for run in wanted for entry in journal.entries(run.id, ("moved",))],
            lambda entry: _erase(store.root, journal, entry, outcome, last_copies=last_copies),
            outcome,
            "files purged",
            report,
        )
        for run in wanted:
            _tidy(store, run.id)
    return outcome


def _settled_runs(store: Catalogue) -> list[Run]:
    settle(store)
    _adopt_strangers(store)
    return _runs(store)


def _runs(store: Catalogue) -> list[Run]:
    journal = Journal(store)
    found = []
    for run_id, started_at, folders in journal.runs():
        entries = journal.entries(run_id, UNDOABLE)
        if entries:
            size = sum(entry.size for entry in entries)
            alone = sum(_may_be_last_copy(store.root, entry) for entry in entries)
            found.append(Run(run_id, started_at, tuple(folders), len(entries), size, alone, entries[0].how))
    return found


def _may_be_last_copy(root: Path, entry: Entry) -> bool:
    """Whether the picture kept instead is gone or changed, or what lies in the trash is not what was removed."""
    trash = root / entry.trash_path
    return not _keeper_lives(entry) or (os.path.lexists(trash) and not _has_digest(trash, entry))


def _keeper_lives(entry: Entry) -> bool:
    """Whether the picture kept instead still lies at its path with the bytes it had, outside any trash."""
    try:
        # A file found in the trash without a journal row names no keeper.
        if not entry.keeper or not stat.S_ISREG(os.lstat(entry.keeper).st_mode) or is_in_trash(Path(entry.keeper)):
            return False
        return images.digest(entry.keeper) == entry.keeper_digest
    except (OSError, ValueError):
        return False


def _for_each(entries: list[Entry], act: Callable[[Entry], None], outcome: Outcome, what: str, report: Report) -> None:
    try:
        for done, entry in enumerate(entries):
            report(Progress(what, done, len(entries), len(outcome.refused)))
            act(entry)
        report(Progress(what, len(entries), len(entries), len(outcome.refused)))
    except Cancelled:
        outcome.interrupted = True


def _restore(root: Path, journal: Journal, entry: Entry, outcome: Outcome) -> None:
    """Put one file back, count it, and list what a person should know about it."""
    if entry.how == COPY:
        take_back_copy(root, journal, entry, outcome)
        return
    trash, place = root / entry.trash_path, root / entry.path
    if not os.path.lexists(trash):
        require_folder(root)
        if entry.target and is_away(entry):
            outcome.refused.append(Skipped(os.fspath(trash), MISSING))
        elif _has_digest(place, entry):
            journal.mark([entry], "restored")
        else:
            journal.mark([entry], "lost", "no longer in the trash")
            outcome.refused.append(Skipped(os.fspath(trash), "no longer in the trash; someone else removed it"))
        return
    if not leads_inside(trash, trash_of(root, entry)):
        journal.mark([entry], "moved")
        outcome.refused.append(Skipped(os.fspath(trash), NOT_OURS))
        return
    if not leads_inside(place, root):
        journal.mark([entry], "moved")
        outcome.refused.append(Skipped(os.fspath(place), "its folder leads elsewhere now; it stays in the trash"))
        return
    if entry.how == HARD_LINK:
        journal.mark([entry], "restoring")
        linking.make_room(root, entry)
    target = _begin_restoring(root, journal, entry)
    try:
        moves.move_back(trash, target)
    except OSError as problem:
        journal.mark([entry], "moved")
        outcome.refused.append(Skipped(os.fspath(place), f"cannot be moved back: {problem.strerror or problem}"))
        return
    _note_restored(root, journal, entry, target, outcome)


def _begin_restoring(root: Path, journal: Journal, entry: Entry) -> Path:
    """Where a file goes back to. All files of its unit are noted as on their way: a crash leaves none behind."""
    members = [one for one in journal.unit_of(entry) if one.state in ("moved", "restoring", "restored")]
    places = units.free_places(root, members, _free_place)
    for one in members:
        if one.id in places:
            target = places[one.id]
            restored_path = target.relative_to(root).as_posix() if target != root / one.path else ""
            journal.mark([one], "restoring", "", restored_path)
    return places[entry.id]


def _note_restored(root: Path, journal: Journal, entry: Entry, target: Path, outcome: Outcome) -> None:
    place = root / entry.path
    restored_path = target.relative_to(root).as_posix() if target != place else ""
    outcome.count(os.fspath(root), entry.size)
    if not _has_digest(target, entry):
        # Its row must not vouch for other bytes: the next index reads the file anew.
        journal.mark([entry], "lost", "changed while it lay in the trash")
        journal.mark([entry], "restored", "changed while it lay in the trash", restored_path)
        outcome.refused.append(Skipped(os.fspath(target), "restored, but its bytes changed while it lay in the trash"))
        return
    journal.mark([entry], "restored", "", restored_path)
    if restored_path:
        reason = f"another file is in its place now; restored as {target.name}"
        outcome.refused.append(Skipped(os.fspath(place), reason))


def _erase(root: Path, journal: Journal, entry: Entry, outcome: Outcome, *, last_copies: bool) -> None:
    trash = root / entry.trash_path
    unit = [one for one in journal.unit_of(entry) if one.state == "moved"]
    if not last_copies and any(_may_be_last_copy(root, one) for one in unit):
        outcome.refused.append(Skipped(os.fspath(trash), LAST_COPY))
        return
    if not leads_inside(trash, root / TRASH_NAME):
        outcome.refused.append(Skipped(os.fspath(trash), NOT_OURS))
        return
    # The intention first: a crash in between must not leave a row that says the file can be brought back.
    with suppress(DiskFull):  # then there is room for a row only when the file has gone
        journal.mark([entry], "purging")
    try:
        moves.erase(trash)
    except FileNotFoundError:
        require_folder(root)  # a drive that was pulled is no file that has gone
    except OSError as problem:
        with suppress(DiskFull):
            journal.mark([entry], "moved")
        outcome.refused.append(Skipped(os.fspath(trash), str(problem.strerror or problem)))
        return
    journal.mark([entry], "purged")
    outcome.count(os.fspath(root), entry.size)


def _free_place(place: Path) -> Path:
    if not os.path.lexists(place):
        return place
    for number in count(1):
        extra = " (restored)" if number == 1 else f" (restored {number})"
        candidate = place.with_name(_fitting_stem(place, extra) + extra + place.suffix)
        if not os.path.lexists(candidate):
            return candidate
    raise AssertionError("numbers do not end")


def _fitting_stem(place: Path, extra: str) -> str:
    """As much of a name's stem as leaves room for more, at the 255 bytes most file systems allow."""
    room = 255 - len(os.fsencode(extra + place.suffix))
    stem = place.stem
    while len(os.fsencode(stem)) > room:
        stem = stem[:-1]
    return stem


def _has_digest(place: Path, entry: Entry) -> bool:
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
    for entry in Journal(store).entries(run_id, ("restored",)):
        if entry.target:
            # The folders made in the folder chosen; that one itself is the person's own.
            target, chosen = Path(entry.trash_path), Path(entry.target)
            moves.remove_empty_folders(target.parent, chosen / target.relative_to(chosen).parts[0])


def _adopt_strangers(store: Catalogue) -> None:
    """Give journal rows to files in the trash that have none, as after the database was lost."""
    trash = store.root / TRASH_NAME
    if not trash.is_dir():
        return
    journal = Journal(store)
    known = {entry.trash_path for entry in journal.entries(states=("moved", *UNSETTLED))}
    own = (path for path in trash.iterdir() if RUN_ID.fullmatch(path.name))
    for run_folder in sorted(path for path in own if path.is_dir() and not path.is_symlink()):
        entries = []
        for path in sorted(run_folder.rglob("*")):
            trash_path = path.relative_to(store.root).as_posix()
            is_part = path.name.startswith(moves.PART_PREFIX)
            if is_part and os.path.isfile(path):
                moves.drop_leftover(path)
            if path.is_file() and not path.is_symlink() and not is_part and trash_path not in known:
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
