"""The last look before a file moves: is it still the file of the plan, and does its keeper live?"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dedup import images
from dedup.companions import Beside, belongs, is_film, is_raw
from dedup.knowledge import counterpart
from dedup.scan import TRASH_NAME, is_picture_name, is_skipped_folder
from dedup.tiers import IDENTICAL, TIERS
from dedup.trash.plan import FileStamp, Plan, Removal
from dedup.trash.protection import Protected

Identity = tuple[int, int]
Marks = tuple[int, int, int, int, int]


@dataclass(slots=True)
class Inspector:
    """Checks the removals of one plan against the disk as it is now.

    Holds what is planned for removal anywhere in the plan, so that no keeper is removed too.
    """

    planned_paths: frozenset[str]
    planned_files: frozenset[Identity]
    protected: Protected
    sound_keepers: dict[FileStamp, Marks | None] = field(default_factory=dict)
    beside: Beside = field(default_factory=Beside)

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
            or why_no_picture(removal)
            or _why_unknown_tier(removal)
            or why_changed(removal.file, "it", read_bytes=True)
            or ("" if removal.last_copy else self._why_keeper_unfit(removal))
            or self.why_not_whole(removal)
            or None
        )

    def _why_keeper_unfit(self, removal: Removal) -> str | None:
        return self._why_keeper_unsound(removal.keeper) or _why_same_file(removal) or _why_not_identical(removal)

    def moving(self, removal: Removal) -> list[FileStamp]:
        """A removal's companions but those that also belong to a picture the plan does not remove."""
        picture = Path(removal.file.path)
        return [
            stamp
            for stamp in removal.companions
            if self.planned_paths.issuperset(map(os.fspath, self.beside.other_owners(Path(stamp.path), picture)))
        ]

    def why_it_stays(self, companion: Path, picture: Path) -> str | None:
        """The reason a companion must not go with its picture now, or None: another picture needs it."""
        owners = self.beside.other_owners(companion, picture)
        return f"it also belongs to {owners[0].name}, which stays" if owners else None

    def why_not_whole(self, removal: Removal) -> str | None:
        """The reason a picture must not go because of a file that belongs to it, or None when it may."""
        for stamp in removal.companions:
            if reason := why_changed(stamp, f"{Path(stamp.path).name}, which belongs to it,", read_bytes=True):
                return reason
        keeper = Path(removal.keeper.path)
        for path in (Path(stamp.path) for stamp in removal.companions):
            told = any(path.name in line for line in removal.lost)
            if (is_raw(path.name) or is_film(path.name)) and not told and not counterpart(path, keeper, self.beside):
                return f"{path.name}, which belongs to it, has no equal beside its keeper any more; make the plan again"
        known = {stamp.path for stamp in removal.companions}
        for path in self.beside.companions_of(Path(removal.file.path)):
            if os.fspath(path) not in known:
                return f"{path.name}, which belongs to it, is not in the plan; make the plan again"
        return None

    def _why_keeper_unsound(self, keeper: FileStamp) -> str | None:
        if keeper.path in self.planned_paths:
            return "its keeper is planned for removal too"
        reason = self._why_keeper_changed(keeper)
        if reason is None and _identity(os.lstat(keeper.path)) in self.planned_files:
            return "its keeper is the same file as one planned for removal"
        if reason is None and is_in_trash(Path(keeper.path)):
            return "its keeper lies in a trash"
        return reason

    def _why_keeper_changed(self, keeper: FileStamp) -> str | None:
        # Its bytes are read, since it is all that will be left: once, and again when anything was done to it since.
        marks = _marks(keeper.path)
        if marks is not None and self.sound_keepers.get(keeper) == marks:
            return None
        reason = why_changed(keeper, "its keeper", read_bytes=True)
        self.sound_keepers[keeper] = None if reason else marks
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
    if not all(_is_beside(Path(stamp.path), path) for stamp in removal.companions):
        return "a file that the plan lists with it does not belong to it"
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
        if status.st_size and not read_bytes:
            with open(path, "rb") as file:
                file.read(1)  # a network drive may remember a name whose file has gone
        if read_bytes and images.digest(path).hex() != stamp.digest:
            return f"{name} has other bytes than when it was indexed"
    except FileNotFoundError:
        return f"{name} is gone"
    except (OSError, ValueError) as problem:
        return f"{name} cannot be read: {getattr(problem, 'strerror', None) or problem}"
    return None


def leads_inside(place: Path, root: Path) -> bool:
    """Whether the folders on the way to a place, as far as they exist, are the root's own, no link leading out.

    A root that is a link itself has nothing inside.
    """
    if ".." in place.parts:
        return False  # what leads up again cannot be followed where a folder on the way does not exist
    existing = place.parent
    while not os.path.lexists(existing):
        existing = existing.parent
    try:
        return existing.resolve(strict=True).is_relative_to(root.parent.resolve() / root.name)
    except (OSError, RuntimeError):
        return False


def is_in_trash(path: Path) -> bool:
    """Whether a file lies in a trash folder of any kind, links on the way resolved."""
    try:
        resolved = path.parent.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        return False
    folders = [*path.parents, resolved, *resolved.parents]
    return any(is_skipped_folder(folder.as_posix()) for folder in folders if folder.name)


def _is_beside(companion: Path, picture: Path) -> bool:
    return companion.parent == picture.parent and belongs(companion.name, picture.name)


def why_no_picture(removal: Removal) -> str | None:
    """The reason a removal is none of a picture, or None when it is."""
    # A plan edited by hand could name anything, this tool's own database included.
    return None if is_picture_name(Path(removal.file.path).name) else "it is not a picture file"


def _why_unknown_tier(removal: Removal) -> str | None:
    # By its tier a person judged it, and by its tier equal bytes are asked for: a word nobody knows says nothing.
    return None if removal.tier in TIERS else "the plan calls it a kind of duplicate that there is not"


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


def _marks(path: str) -> Marks | None:
    """What changes when anything is done to a file; asked of the open file, as a network drive may remember names."""
    try:
        file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))
    except (OSError, ValueError):
        return None
    try:
        status = os.fstat(file)
    finally:
        os.close(file)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _identity(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino
