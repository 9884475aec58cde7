"""Carry out a plan: check, move to the trash, note it in the journal, file by file."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from dedup.errors import DedupError
from dedup.progress import Cancelled, Progress, Report, Skipped
from dedup.scan import TRASH_NAME
from dedup.store import Catalogue, Entry, Journal, folder_lock, removal_lock
from dedup.trash import moves
from dedup.trash.checks import Inspector, leads_inside, why_changed, why_outside
from dedup.trash.plan import Plan, Removal
from dedup.trash.recovery import require_plain_trash, require_writable, settle

# The files moved between two commits; after a crash the disk says which of them moved.
ENTRIES_PER_COMMIT = 32
OpenStore = Callable[[Path], Catalogue]


@dataclass(slots=True)
class Outcome:
    """What a run did: per folder (files, bytes), and every file that stayed, with the reason.

    ``folders`` are all the folders the run took files from, undone or not.
    """

    run_id: str
    folders: tuple[str, ...] = ()
    moved: dict[str, tuple[int, int]] = field(default_factory=dict)
    refused: list[Skipped] = field(default_factory=list)
    interrupted: bool = False

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


def inspect(plan: Plan, report: Report) -> Outcome:
    """What ``execute`` would do now, with nothing moved and nothing written."""
    outcome = Outcome("")
    inspector = Inspector.of(plan)
    for number, removal in enumerate(plan.removals):
        report(Progress("files checked", number, len(plan.removals)))
        if reason := inspector.why_not(removal):
            outcome.refused.append(Skipped(removal.file.path, reason))
        else:
            outcome.count(removal.folder, removal.file.size)
    report(Progress("files checked", len(plan.removals), len(plan.removals)))
    return outcome


def execute(plan: Plan, open_store: OpenStore, report: Report) -> Outcome:
    """Move the plan's files into the trashes of their folders; what must stay is listed.

    Each file and its keeper are checked at the moment of removal. The report may raise
    Cancelled between two files: what moved stays in the trash and can be undone.
    """
    outcome = Outcome(new_run_id(), tuple(plan.by_folder()))
    inspector = Inspector.of(plan)
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
                    _execute_folder(store, len(plan.removals), waiting, inspector, outcome, report)
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
    store: Catalogue, total: int, waiting: list[Removal], inspector: Inspector, outcome: Outcome, report: Report
) -> None:
    """Remove one folder's files; ``waiting`` is emptied as each is settled."""
    journal = Journal(store)
    run_id = outcome.run_id
    entries = journal.begin(run_id, outcome.folders, [_entry(store.root, run_id, row) for row in waiting])
    moved: list[Entry] = []
    try:
        for entry in entries:
            report(_progress(total, outcome))
            removal = waiting[0]
            reason = inspector.why_not(removal) or _move(store.root, entry, removal)
            waiting.pop(0)
            if reason:
                outcome.refused.append(Skipped(removal.file.path, reason))
                journal.mark([entry], "failed", reason)
            else:
                moved.append(entry)
                outcome.count(removal.folder, removal.file.size)
            if len(moved) >= ENTRIES_PER_COMMIT:
                journal.mark(moved, "moved")
                moved = []
        report(_progress(total, outcome))
    except Cancelled:
        journal.mark(entries[len(entries) - len(waiting) :], "failed", "stopped before it moved")
        raise
    finally:
        # Whatever else ended the loop leaves the rest as planned: the disk will tell how far it got.
        journal.mark(moved, "moved")
        moves.prune(store.root / TRASH_NAME / run_id)


def _progress(total: int, outcome: Outcome) -> Progress:
    done = outcome.files + len(outcome.refused)
    return Progress("files removed", done, total, len(outcome.refused))


def _move(root: Path, entry: Entry, removal: Removal) -> str | None:
    """Move one file to the trash and look once more; the reason when it stays or went straight back."""
    place, trash = root / entry.path, root / entry.trash_path
    try:
        moves.move_away(place, trash)
    except OSError as problem:
        return f"cannot be moved: {problem.strerror or problem}"
    # A keeper that went with it was the same file by another name; what moved may be a version just saved, and
    # where times are coarse only its bytes tell. A folder may have become a link in between.
    reason = (
        why_changed(removal.keeper, "its keeper")
        or why_changed(removal.file, "it", read_bytes=True, at=trash)
        or (None if leads_inside(trash, root / TRASH_NAME) else "the trash became a link to elsewhere")
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
        removal.keeper.path,
        removal.similarity,
        removal.tier,
        keeper_digest=bytes.fromhex(removal.keeper.digest),
    )
