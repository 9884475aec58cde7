"""Make a plan whole: which files move with each picture, and what is lost with them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dedup import images
from dedup.knowledge import Knowing, what_is_lost
from dedup.progress import Progress, Report
from dedup.trash.plan import FileStamp, Plan, Removal


def complete(plan: Plan, report: Report) -> Plan:
    """The plan with each picture's companions, as they are now, and what they and it hold that the keeper does not.

    A companion of several pictures goes with the last of them, when all of them are to be removed, and else stays.
    """
    knowing = Knowing()
    removed = {removal.file.path for removal in plan.removals}
    companions: dict[str, list[Path]] = {}
    taken: set[Path] = set()
    for removal in reversed(plan.removals):
        picture = Path(removal.file.path)
        free = [path for path in knowing.beside.files_of(picture) if path not in taken]
        mine = [path for path in free if removed.issuperset(map(os.fspath, knowing.beside.other_owners(path, picture)))]
        companions[removal.file.path] = mine
        taken.update(mine)
    rows = []
    for done, removal in enumerate(plan.removals):
        report(Progress("companions and metadata read", done, len(plan.removals)))
        rows.append(_completed(removal, companions[removal.file.path], knowing))
    report(Progress("companions and metadata read", len(plan.removals), len(plan.removals)))
    return replace(plan, removals=tuple(rows))


def _completed(removal: Removal, companions: Sequence[Path], knowing: Knowing) -> Removal:
    picture, keeper = Path(removal.file.path), Path(removal.keeper.path)
    same = removal.file.digest == removal.keeper.digest
    stamps = tuple(stamp for path in companions if (stamp := _stamped(path)) is not None)
    lost = what_is_lost(picture, keeper, companions, knowing, same_bytes=same)
    return replace(removal, companions=stamps, lost=tuple(lost))


def _stamped(path: Path) -> FileStamp | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    try:
        digest = images.digest(path).hex()
    except OSError:
        digest = ""  # the check before the move will say that it cannot be read
    return FileStamp(os.fspath(path), status.st_size, status.st_mtime_ns, digest)
