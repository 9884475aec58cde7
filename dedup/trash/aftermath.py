"""After a crash in the middle of a way other than the trash: what its row comes to, by what lies where.

As in ``dedup.trash.recovery`` a file is in its place, in the trash (or the folder chosen), in both, or gone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from dedup import images
from dedup.store import Entry
from dedup.trash import moves
from dedup.trash.linking import drop_aside, put_back
from dedup.trash.ways import COPY, HARD_LINK, REFLINK, SYSTEM_TRASH

Verdict = tuple[str, str] | None
INTERRUPTED = "interrupted before it was done"


def settled(root: Path, entry: Entry) -> Verdict:
    """The state and reason an unfinished row takes; None where it is settled as one of the trash is."""
    rule = _RULES.get(entry.how)
    return rule(root, entry) if rule else None


def _hard_link(root: Path, entry: Entry) -> Verdict:
    place, trash = root / (entry.restored_path or entry.path), root / entry.trash_path
    if entry.keeper:
        drop_aside(place, Path(entry.keeper))
    # On another volume a move is a copy, which may have got halfway.
    moves.bring_back_aside(place)
    for target in (place, trash):
        moves.drop_part(target)
    if entry.state == "purging" or not os.path.lexists(trash):
        return None
    if not os.path.lexists(place):
        if put_back(root, entry):
            return None
        return ("failed", INTERRUPTED) if entry.state == "planned" else ("restored", "")
    # A link, or a copy made of one, is not the file that lies in the trash: that has its own time.
    is_link = _is_name_of(place, entry.keeper) or os.lstat(place).st_mtime_ns != entry.mtime_ns
    return ("moved", "") if is_link else None


def _reflink(root: Path, entry: Entry) -> Verdict:
    place, trash = root / entry.path, root / entry.trash_path
    if entry.state == "restoring" or (entry.state == "purging" and not os.path.lexists(trash)):
        return ("shared", "") if entry.state == "purging" else None
    moves.drop_part(place)
    if not os.path.lexists(trash):
        return None
    if not os.path.lexists(place):
        return None if put_back(root, entry) else ("failed", INTERRUPTED)
    if entry.state == "purging" and moves.drop_second_copy(trash, place, entry.digest):
        return "shared", ""
    return None


def _system_trash(root: Path, entry: Entry) -> Verdict:
    if os.path.lexists(root / entry.path):
        return "failed", INTERRUPTED
    return "handed over", "interrupted: it should lie in the system's trash"


def _copy(root: Path, entry: Entry) -> Verdict:
    target = root / entry.trash_path
    moves.drop_part(target)
    if entry.state == "purging":
        return ("copied", "") if os.path.lexists(target) else ("restored", "")
    return ("copied", "") if _has_digest(target, entry.digest) else ("failed", INTERRUPTED)


def _is_name_of(place: Path, keeper: str) -> bool:
    try:
        return bool(keeper) and moves.is_same_file(place, Path(keeper))
    except OSError:
        return False


def _has_digest(path: Path, digest: bytes) -> bool:
    try:
        return os.path.isfile(path) and not os.path.islink(path) and images.digest(path) == digest
    except OSError:
        return False


_RULES: dict[str, Callable[[Path, Entry], Verdict]] = {
    HARD_LINK: _hard_link,
    REFLINK: _reflink,
    SYSTEM_TRASH: _system_trash,
    COPY: _copy,
}
