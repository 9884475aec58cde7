"""After a crash: what a journal row claims is settled by looking at the disk."""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from pathlib import Path

from dedup.errors import DedupError
from dedup.scan import TRASH_NAME
from dedup.store import Catalogue, Entry, Journal, has_database
from dedup.trash import aftermath, moves, units
from dedup.trash.checks import leads_inside

UNSETTLED = ("planned", "restoring", "purging")
RUN_ID = re.compile(r"\d{8}-\d{6}-\d{6}-[0-9a-f]{4}")


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


def trash_of(root: Path, entry: Entry) -> Path:
    """The folder in which what was taken away lies: the folder chosen, or the trash."""
    return Path(entry.target) if entry.target else root / TRASH_NAME


def require_folder(root: Path) -> None:
    """Raises DedupError where a folder that was opened is not there any more, as when its drive was pulled.

    An empty folder may have come in its place, the point where the drive was mounted: its database then is gone too.
    """
    if not root.is_dir() or not has_database(root):
        raise DedupError(f"The folder {root} is gone.", "Connect its drive again; what was done so far is kept.")


def require_writable(root: Path) -> None:
    """Raises DedupError where the journal would be kept elsewhere than beside the files it speaks of."""
    if not os.access(root, os.W_OK):
        raise DedupError(f"{root} cannot be written.", "Ask its owner for permission; nothing was moved.")


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
    _drop_empty_runs(store.root / TRASH_NAME, journal.runs_holding("moved"))
    return len(unsettled)


def _drop_empty_runs(trash: Path, holding: set[str]) -> None:
    """Remove the empty folders that a killed run left; a run with files is tidied when it is undone or purged."""
    try:
        folders = list(trash.iterdir())
    except OSError:
        return  # there is no trash, or it is closed to us
    for folder in folders:
        if RUN_ID.fullmatch(folder.name) and folder.name not in holding:
            moves.prune(folder)
    moves.remove_empty_folders(trash, trash)


def _settle(root: Path, journal: Journal, entry: Entry) -> None:
    if verdict := aftermath.settled(root, entry):
        journal.mark([entry], verdict[0], verdict[1], entry.restored_path)
        return
    place, trash = root / (entry.restored_path or entry.path), root / entry.trash_path
    for target in (trash, place):
        moves.bring_back_aside(target)
        moves.drop_part(target)  # a removal whose keeper went is copied back while its row is still planned
    in_place, in_trash = os.path.lexists(place), os.path.lexists(trash)
    if not in_place and not in_trash:
        require_folder(root)
    if in_place and in_trash and entry.state != "purging":
        in_trash = not _drop_from_trash(root, trash, place, entry)
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


def _drop_from_trash(root: Path, trash: Path, place: Path, entry: Entry) -> bool:
    """Resolve half a move: the file in its place wins; whether the trash's name or copy of it went."""
    if not leads_inside(trash, trash_of(root, entry)):
        return False  # a row that was tampered with, or a folder that became a link: nothing out there is ours
    if moves.is_same_file(trash, place):
        with suppress(FileExistsError):  # its only name, reached by two paths, stays
            moves.drop_second_name(trash, place)
        return True
    return moves.drop_second_copy(trash, place, entry.digest)
