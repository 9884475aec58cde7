"""Carry out a plan: check, move to the trash, note it in the journal, file by file."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from dedup.errors import DedupError
from dedup.progress import Cancelled, Progress, Report, Skipped
from dedup.scan import TRASH_NAME
from dedup.store import Catalogue, Entry, Journal, folder_lock, removal_lock
from dedup.trash import moves, units
from dedup.trash.checks import Inspector, leads_inside, why_changed, why_outside
from dedup.trash.plan import FileStamp, Plan, Removal
from dedup.trash.recovery import require_plain_trash, require_writable, settle, trash_of
from dedup.trash.ways import IN_A_CHOSEN_FOLDER, TRASH, Way

# The files moved between two commits; after a crash the disk says which of them moved.
ENTRIES_PER_COMMIT = 32
OpenStore = Callable[[Path], Catalogue]


@dataclass(slots=True)
class Outcome:
    """What a run did: per folder (files, bytes), and every file that stayed, with the reason.

    ``folders`` are all the folders the run took files from, undone or not. ``companions`` of the files moved
    because they belong to a picture; ``notes`` tell of those that stayed since another picture needs them,
    ``unwritten`` of sidecars that could not be written.
    ``sidecars`` are the files written beside kept pictures.
    """

    run_id: str
    folders: tuple[str, ...] = ()
    moved: dict[str, tuple[int, int]] = field(default_factory=dict)
    refused: list[Skipped] = field(default_factory=list)
    interrupted: bool = False
    companions: int = 0
    notes: list[Skipped] = field(default_factory=list)
    unwritten: list[Skipped] = field(default_factory=list)
    sidecars: list[Path] = field(default_factory=list)
    how: str = TRASH

    def count_unit(self, removal: Removal, companions: Sequence[FileStamp]) -> None:
        """Note one more picture as moved, with the files that went with it."""
        for stamp in (removal.file, *companions):
            self.count(removal.folder, stamp.size)
        self.companions += len(companions)

    def count(self, folder: str, size: int) -> None:
        """Note one more file of a folder as moved."""
        files, total = self.moved.get(folder, (0, 0))
        self.moved[folder] = (files + 1, total + size)

    @property
    def files(self) -> int:
        """How many files moved."""
        return sum(count for count, _ in self.moved.values())

    @property
    def bytes(self) -> int:
        """How many bytes moved."""
        return sum(size for _, size in self.moved.values())


def new_run_id() -> str:
    """A name for a run that sorts by time and is never used twice."""
    return (
        datetime.now().strftime("%Y%m%d-%H%M%S-") + f"{time.time_ns() // 1000 % 1_000_000:06d}-{secrets.token_hex(2)}"
    )


def inspect(plan: Plan, report: Report, way: Way | None = None) -> Outcome:
    """What ``execute`` would do now, with nothing moved and nothing written."""
    outcome, way = Outcome(""), way or Way()
    inspector = Inspector.of(plan)
    for number, removal in enumerate(plan.removals):
        report(Progress("files checked", number, len(plan.removals)))
        if reason := inspector.why_not(removal) or way.why_not(removal):
            outcome.refused.append(Skipped(removal.file.path, reason))
        else:
            outcome.count_unit(removal, inspector.moving(removal))
    report(Progress("files checked", len(plan.removals), len(plan.removals)))
    return outcome


def execute(
    plan: Plan, open_store: OpenStore, report: Report, way: Way | None = None, inspector: Inspector | None = None
) -> Outcome:
    """Dispose of the plan's files, into the trashes of their folders unless another way is given; lists what must stay.

    Each file and its keeper are checked at the moment of removal. The report may raise
    Cancelled between two files: what moved stays in the trash and can be undone.
    """
    outcome = Outcome(new_run_id(), tuple(plan.by_folder()))
    inspector, way = inspector or Inspector.of(plan), way or Way()
    with ExitStack() as locks:
        # Nested folders have databases of their own, so one removal at a time on this machine;
        # and the keepers' folders too: nobody may remove a keeper between its check and the move.
        locks.enter_context(removal_lock())
        # Resolved, since a plan edited by hand may name one folder in two spellings.
        folders = {Path(folder).resolve() for folder in (*plan.folders, *outcome.folders) if os.path.isdir(folder)}
        for folder in sorted(folders):
            locks.enter_context(folder_lock(folder, "removing"))
        for named, removals in plan.by_folder().items():
            waiting = _inside(removals, outcome)
            if not waiting:
                continue
            try:
                require_plain_trash(Path(named))
                require_writable(Path(named))
                with open_store(Path(named)) as store:
                    settle(store)
                    _execute_folder(store, len(plan.removals), waiting, inspector, outcome, report, way)
            except Cancelled:
                outcome.interrupted = True
                break
            except (DedupError, OSError) as problem:
                outcome.refused += [Skipped(removal.file.path, str(problem)) for removal in waiting]
    return outcome


def _inside(removals: Sequence[Removal], outcome: Outcome) -> list[Removal]:
    """The removals that lie in their folder; the others are refused before the journal hears of them."""
    inside = []
    for removal in removals:
        if reason := why_outside(removal):
            outcome.refused.append(Skipped(removal.file.path, reason))
        else:
            inside.append(removal)
    return inside


def _execute_folder(
    store: Catalogue,
    total: int,
    waiting: list[Removal],
    inspector: Inspector,
    outcome: Outcome,
    report: Report,
    way: Way,
) -> None:
    """Remove one folder's files; ``waiting`` is emptied as each is settled."""
    journal = Journal(store)
    run_id = outcome.run_id
    rows = [(row, way.aim(_entry(store.root, run_id, row), row)) for row in waiting]
    beside = inspector.beside if way.takes_companions else None
    planned = units.begin(journal, run_id, outcome.folders, rows, beside)
    moved: list[Entry] = []
    try:
        for unit in planned:
            report(_progress(total, outcome))
            removal = waiting[0]
            move = partial(_move_unit, store.root, unit, removal)
            reason = (
                inspector.why_not(removal)
                or way.why_not(removal)
                or _let_stay(journal, unit, inspector, outcome, removal)
                or way.act(store.root, journal, unit.picture, removal, move)
            )
            waiting.pop(0)
            if reason:
                outcome.refused.append(Skipped(removal.file.path, reason))
                journal.mark(unit.entries, "failed", reason)
            else:
                moved += unit.entries
                outcome.count_unit(removal, [stamp for stamp, _ in unit.companions])
            if len(moved) >= ENTRIES_PER_COMMIT:
                journal.mark(moved, way.done)
                moved = []
        report(_progress(total, outcome))
    except Cancelled:
        left = [entry for unit in planned[len(planned) - len(waiting) :] for entry in unit.entries]
        journal.mark(left, "failed", "stopped before it moved")
        raise
    finally:
        # Whatever else ended the loop leaves the rest as planned: the disk will tell how far it got.
        journal.mark(moved, way.done)
        moves.prune(store.root / TRASH_NAME / run_id)
        moves.remove_empty_folders(store.root / TRASH_NAME, store.root / TRASH_NAME)


def _progress(total: int, outcome: Outcome) -> Progress:
    done = outcome.files - outcome.companions + len(outcome.refused)
    return Progress("files removed", done, total, len(outcome.refused))


def _let_stay(
    journal: Journal, unit: units.Unit, inspector: Inspector, outcome: Outcome, removal: Removal
) -> str | None:
    """Let a companion that another picture needs, as it turns out now, leave the unit; never a reason to stop."""
    for stamp, entry in list(unit.companions):
        if reason := inspector.why_it_stays(Path(stamp.path), Path(removal.file.path)):
            unit.companions.remove((stamp, entry))
            journal.mark([entry], "failed", reason)
            outcome.notes.append(Skipped(stamp.path, reason))
    return None


def _move_unit(root: Path, unit: units.Unit, removal: Removal) -> str | None:
    """Move a picture's companions, then the picture; the reason when all of them stay, or went straight back."""
    reason = units.move_companions(root, unit)
    if reason is None and (reason := _move(root, unit.picture, removal)):
        reason += units.move_back(root, unit.entries[1:])
    return reason


def _move(root: Path, entry: Entry, removal: Removal) -> str | None:
    """Move one file to the trash and look once more; the reason when it stays or went straight back."""
    place, trash = root / entry.path, root / entry.trash_path
    move = moves.move_to_folder if entry.how in IN_A_CHOSEN_FOLDER else moves.move_away
    try:
        move(place, trash)
    except OSError as problem:
        return f"cannot be moved: {problem.strerror or problem}"
    # A keeper that went with it was the same file by another name; what moved may be a version just saved, and
    # where times are coarse only its bytes tell. A folder may have become a link in between.
    reason = None if removal.last_copy else why_changed(removal.keeper, "its keeper")
    reason = (
        reason
        or why_changed(removal.file, "it", read_bytes=True, at=trash)
        or (None if leads_inside(trash, trash_of(root, entry)) else "the trash became a link to elsewhere")
    )
    if reason is None:
        return None
    try:
        moves.move_back(trash, place)
    except OSError as problem:
        return f"{reason}; it lies in the trash and cannot be moved back: {problem.strerror or problem}"
    return reason


def _entry(root: Path, run_id: str, removal: Removal) -> Entry:
    relative = Path(os.path.relpath(removal.file.path, removal.folder)).as_posix()
    # The trash keeps the tree, so that its files find their way back even without a journal.
    trash_path = f"{TRASH_NAME}/{run_id}/{relative}"
    return Entry(
        0,
        run_id,
        relative,
        trash_path,
        "",
        removal.file.size,
        removal.file.mtime_ns,
        bytes.fromhex(removal.file.digest),
        "" if removal.last_copy else removal.keeper.path,  # purge then tells that it may be the last copy
        removal.similarity,
        removal.tier,
        keeper_digest=bytes.fromhex(removal.keeper.digest),
    )
