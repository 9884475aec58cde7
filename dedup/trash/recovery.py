"""After a crash: what a journal row claims is settled by looking at the disk."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from dedup.errors import DedupError
from dedup.scan import TRASH_NAME
from dedup.store import Catalogue, Entry, Journal
from dedup.trash import aftermath, moves, units

UNSETTLED = ("planned", "restoring", "purging")


def require_plain_trash(root: Path) -> None:
    """Raises DedupError where the trash of a folder is not a plain folder of its own."""
    trash = root / TRASH_NAME
    try:
        mode = os.lstat(trash).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(mode):
        raise DedupError(
            f"{trash} is not a plain folder, so it cannot be the trash.", "Move it away; nothing in it was touched."
        )


def settle(store: Catalogue) -> int:
    """Bring unfinished rows of the journal in line with the disk; how many there were.

    A file is in its place, in the trash, or (when the crash fell between the two halves
    of a move) both, as two names of one file: then the second name goes and the move counts
    as not made. Of a unit that lies in both places what is in the trash goes back.
    """
    require_plain_trash(store.root)
    journal = Journal(store)
    unsettled = journal.entries(states=UNSETTLED)
    units.bring_halves_back(store.root, journal, unsettled)
    for entry in unsettled:
        _settle(store.root, journal, entry)
    _tidy(store.root / TRASH_NAME, journal)
    return len(unsettled)


def _tidy(trash: Path, journal: Journal) -> None:
    """Remove the empty folders of runs that a crash kept from tidying up."""
    try:
        names = set(os.listdir(trash))
    except OSError:
        return  # no trash, or none that can be read
    if names:
        names &= {run_id for run_id, _, _ in journal.runs()} - journal.runs_holding("moved")
    for name in names:
        moves.prune(trash / name)
    moves.remove_empty_folders(trash, trash)


def _settle(root: Path, journal: Journal, entry: Entry) -> None:
    if verdict := aftermath.settled(root, entry):
        journal.mark([entry], verdict[0], verdict[1], entry.restored_path)
        return
    place, trash = root / (entry.restored_path or entry.path), root / entry.trash_path
    moves.drop_part(trash if entry.state == "planned" else place)
    in_place, in_trash = os.path.lexists(place), os.path.lexists(trash)
    if in_place and in_trash and entry.state != "purging":
        in_trash = not _drop_from_trash(trash, place, entry)
    if in_trash:
        journal.mark([entry], "moved", "")
    elif entry.state == "purging":
        journal.mark([entry], "purged")
    elif in_place:
        state = "failed" if entry.state == "planned" else "restored"
        journal.mark([entry], state, "interrupted before it moved" if state == "failed" else "", entry.restored_path)
    elif entry.state == "planned":
        journal.mark([entry], "failed", "its file was gone before it moved")
    else:
        journal.mark([entry], "lost", "neither in its place nor in the trash")


def _drop_from_trash(trash: Path, place: Path, entry: Entry) -> bool:
    """Resolve half a move: the file in its place wins; whether the trash's name or copy of it went."""
    if moves.is_same_file(trash, place):
        moves.drop_second_name(trash, place)
        return True
    return moves.drop_second_copy(trash, place, entry.digest)
