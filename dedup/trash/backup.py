"""Copy every file of the sets before anything is removed: each copy is read back and compared by its digest.

Copies go to a new folder inside the one that was named, so that nothing is ever overwritten.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dedup.errors import DedupError
from dedup.progress import Progress, Report
from dedup.trash import moves
from dedup.trash.plan import FileStamp
from dedup.trash.removal import new_run_id

LIST_NAME = "files.csv"
NOTHING_MOVED = "Nothing was removed."


@dataclass(frozen=True, slots=True)
class Backup:
    """The new folder with the copies, how many there are, and their bytes."""

    place: Path
    files: int
    bytes: int


def back_up(stamps: Iterable[FileStamp], folders: Sequence[str], place: Path, report: Report) -> Backup:
    """Copy the files into a new folder inside ``place``, with the tree of each of ``folders`` kept.

    Raises DedupError at the first file that is not as it was stamped or cannot be copied: then nothing may be
    removed. What was copied by then stays. The report may raise Cancelled between two files.
    """
    files = list({one.path: one for one in stamps}.values())
    total = sum(one.size for one in files)
    target = _new_folder(place, folders, total)
    report(Progress("files backed up", 0, len(files)))
    copies = []
    for number, (one, inside) in enumerate(zip(files, _places(files, folders), strict=True), 1):
        try:
            moves.copy_verified(Path(one.path), target / inside, one.digest)
        except (OSError, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or problem
            raise DedupError(
                f"The backup of {one.path} failed: {reason}.",
                f"{NOTHING_MOVED} Index again where a file has changed, or choose another folder for the backup.",
            ) from problem
        copies.append((inside, one.path, one.digest))
        report(Progress("files backed up", number, len(files)))
    _write_list(target / LIST_NAME, copies)
    return Backup(target, len(files), total)


def _new_folder(place: Path, folders: Sequence[str], size: int) -> Path:
    """A folder inside ``place`` that nobody has used before; raises DedupError where copies must not or cannot go."""
    where = Path(os.path.realpath(place.expanduser()))
    for folder in folders:
        if where.is_relative_to(os.path.realpath(folder)):
            raise DedupError(
                f"The backup would lie inside the picture folder {folder}, as copies of its pictures.",
                f"{NOTHING_MOVED} Choose a folder elsewhere.",
            )
    target = where / f"backup-{new_run_id()}"
    try:
        target.mkdir(parents=True)
        free = moves.free_bytes(target)
    except OSError as problem:
        raise DedupError(
            f"The backup folder {target} cannot be made: {problem.strerror}.", f"{NOTHING_MOVED} Choose another one."
        ) from problem
    if free < size:
        raise DedupError(
            f"The backup needs {size:,} bytes, and {where} has {free:,} left.", f"{NOTHING_MOVED} Choose another place."
        )
    return target


def _places(files: Iterable[FileStamp], folders: Sequence[str]) -> Iterator[str]:
    """For each file its path in the backup: the number and name of its folder, then the path in it."""
    innermost_first = sorted(enumerate(folders, 1), key=lambda row: -len(Path(row[1]).parts))
    for count, one in enumerate(files, 1):
        path = Path(one.path)
        # A plan edited by hand could lead out of the backup.
        inside = [
            (n, folder) for n, folder in innermost_first if path.is_relative_to(folder) and ".." not in path.parts
        ]
        if inside:
            number, folder = inside[0]
            yield f"{number}-{Path(folder).name}/{path.relative_to(folder).as_posix()}"
        else:
            yield f"elsewhere/{count}-{path.name}"


def _write_list(path: Path, copies: Iterable[tuple[str, str, str]]) -> None:
    """Which copy is of which file, with its SHA-256."""
    with open(path, "x", encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("copy", "original", "sha256"))
        rows.writerows(copies)
