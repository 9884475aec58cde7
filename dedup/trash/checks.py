"""The last look before a file moves: is it still the file of the plan, and does its keeper live?"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dedup import images
from dedup.scan import TRASH_NAME, is_picture_name, is_skipped_folder
from dedup.tiers import IDENTICAL
from dedup.trash.plan import FileStamp, Plan, Removal
from dedup.trash.protection import Protected

Identity = tuple[int, int]


@dataclass(slots=True)
class Inspector:
    """Checks the removals of one plan against the disk as it is now.

    Holds what is planned for removal anywhere in the plan, so that no keeper is removed too.
    """

    planned_paths: frozenset[str]
    planned_files: frozenset[Identity]
    protected: Protected
    sound_keepers: dict[FileStamp, str | None] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: Plan) -> Inspector:
        """An inspector that knows every file the plan would remove."""
        paths = frozenset(removal.file.path for removal in plan.removals)
        return cls(paths, frozenset(_identities(paths)), Protected.of(plan.protected))

    def why_not(self, removal: Removal) -> str | None:
        """The reason this removal must not happen now, or None when it may."""
        return (
            why_outside(removal)
            or self.protected.why_not(removal)
            or _why_no_picture(removal)
            or why_changed(removal.file, "it", read_bytes=True)
            or self._why_keeper_unsound(removal.keeper)
            or _why_same_file(removal)
            or _why_not_identical(removal)
        )

    def _why_keeper_unsound(self, keeper: FileStamp) -> str | None:
        if keeper.path in self.planned_paths:
            return "its keeper is planned for removal too"
        if keeper not in self.sound_keepers:
            # Once per keeper and plan: its bytes are read, since it is all that will be left.
            self.sound_keepers[keeper] = why_changed(keeper, "its keeper", read_bytes=True)
        reason = self.sound_keepers[keeper]
        if reason is None:
            # Its status is looked at every time: it may have gone a moment ago.
            reason = why_changed(keeper, "its keeper")
        if reason is None and _identity(os.lstat(keeper.path)) in self.planned_files:
            return "its keeper is the same file as one planned for removal"
        if reason is None and is_in_trash(Path(keeper.path)):
            return "its keeper lies in a trash"
        return reason


def why_outside(removal: Removal) -> str | None:
    """The reason a removal's path is not one inside its folder, or None when it is."""
    folder = Path(removal.folder)
    path = Path(removal.file.path)
    try:
        parent = path.parent.resolve(strict=True)
        inside = parent.is_relative_to(folder.resolve(strict=True))
    except (OSError, RuntimeError, ValueError):
        return "its folder is gone"
    if not inside or not path.is_relative_to(folder) or ".." in path.parts:
        return "it does not lie inside the folder of the plan"
    if TRASH_NAME in path.parts:
        return "it lies in the trash already"
    return None


def why_changed(stamp: FileStamp, name: str, *, read_bytes: bool = False, at: Path | None = None) -> str | None:
    """The reason a file (looked for ``at`` another place when given) is not the one stamped, or None."""
    path = stamp.path if at is None else at
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode):
            return f"{name} is not a regular file any more"
        if (status.st_size, status.st_mtime_ns) != (stamp.size, stamp.mtime_ns):
            return f"{name} has changed since it was indexed"
        if read_bytes and images.digest(path).hex() != stamp.digest:
            return f"{name} has other bytes than when it was indexed"
    except FileNotFoundError:
        return f"{name} is gone"
    except (OSError, ValueError) as problem:
        return f"{name} cannot be read: {getattr(problem, 'strerror', None) or problem}"
    return None


def is_in_trash(path: Path) -> bool:
    """Whether a file lies in a trash folder of any kind, links on the way resolved."""
    try:
        resolved = path.parent.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        return False
    folders = [*path.parents, resolved, *resolved.parents]
    return any(is_skipped_folder(folder.as_posix()) for folder in folders if folder.name)


def _why_no_picture(removal: Removal) -> str | None:
    # A plan edited by hand could name anything, this tool's own database included.
    return None if is_picture_name(Path(removal.file.path).name) else "it is not a picture file"


def _why_not_identical(removal: Removal) -> str | None:
    if removal.tier == IDENTICAL and removal.file.digest != removal.keeper.digest:
        return "the plan calls it identical to its keeper, and it is not"
    return None


def _why_same_file(removal: Removal) -> str | None:
    if _identity(os.lstat(removal.file.path)) == _identity(os.lstat(removal.keeper.path)):
        return "it is the same file as its keeper"
    return None


def _identities(paths: Iterable[str]) -> list[Identity]:
    found = []
    for path in paths:
        try:
            found.append(_identity(os.lstat(path)))
        except (OSError, ValueError):
            continue  # gone already: its own check will say so
    return found


def _identity(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino
