"""The moves themselves. The only functions of the product that rename or delete a user's file."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from dedup import images

# Hard links are how a rename is made that cannot overwrite; some file systems have none.
_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EACCES}

PART_PREFIX = ".dedup-part-"
ASIDE_PREFIX = ".dedup-aside-"


def move_away(source: Path, target: Path) -> None:
    """Move a user's file to a place nobody else writes to; FileExistsError when it is taken.

    One rename, so that a version saved at that very moment moves along instead of being lost.
    On another volume the file is copied with times and permissions, compared by digest, and
    only then removed. Folders on the way to the target are made.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        _rename_to_free_place(source, target)
    except OSError as problem:
        if problem.errno != errno.EXDEV:
            raise
        _copy_across(source, target)


def move_back(source: Path, target: Path) -> None:
    """Move a file of ours to a place anyone may write to; FileExistsError when it is taken, never overwriting.

    Otherwise as ``move_away``.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if os.name == "nt":
            os.rename(source, target)  # fails there when the target exists
        else:
            _link_then_unlink(source, target)
    except OSError as problem:
        if problem.errno == errno.EXDEV:
            _copy_across(source, target)
        elif problem.errno in _NO_HARD_LINKS:
            _rename_to_free_place(source, target)
        else:
            raise


def is_same_file(first: Path, second: Path) -> bool:
    """Whether two paths are names of one regular file; a link to it is not a name of it."""
    one, two = os.lstat(first), os.lstat(second)
    both_regular = stat.S_ISREG(one.st_mode) and stat.S_ISREG(two.st_mode)
    return both_regular and (one.st_dev, one.st_ino) == (two.st_dev, two.st_ino)


def drop_second_name(path: Path, other: Path) -> None:
    """Remove one of two names of the same file; refuses when they are different files."""
    if not is_same_file(path, other):
        raise FileExistsError(errno.EEXIST, "another file is in the way", str(path))
    if os.lstat(path).st_nlink < 2:
        raise FileExistsError(errno.EEXIST, "both paths lead to the only name of one file", str(path))
    os.unlink(path)


def drop_second_copy(path: Path, other: Path, digest: bytes) -> bool:
    """Remove one of two whole copies of a file, both of this SHA-256; whether it was removed."""
    for each in (path, other):
        if not stat.S_ISREG(os.lstat(each).st_mode) or images.digest(each) != digest:
            return False
    os.unlink(path)
    return True


def drop_part(target: Path) -> None:
    """Remove what an interrupted copy to another volume left beside its target."""
    part = part_of(target)
    if os.path.islink(part) or os.path.isfile(part):
        os.unlink(part)


def part_of(target: Path) -> Path:
    """The name under which a copy to another volume grows until it is whole."""
    return target.with_name(PART_PREFIX + _short_name(target))


def aside_of(path: Path) -> Path:
    """The name under which a file is set aside for a moment, to be looked at before it goes."""
    return path.with_name(ASIDE_PREFIX + _short_name(path))


def _short_name(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]


def bring_back_aside(path: Path) -> None:
    """Give a file its name back that a crash left set aside; where the name is taken meanwhile, both stay."""
    aside = aside_of(path)
    if os.path.lexists(aside):
        with suppress(FileExistsError):
            _name_part(aside, path)


def erase(path: Path) -> None:
    """Delete a file for good."""
    os.unlink(path)


def remove_empty_folders(folder: Path, stop: Path) -> None:
    """Remove the folder and its parents up to and including ``stop`` as far as they are empty."""
    while folder == stop or stop in folder.parents:
        try:
            os.rmdir(folder)
        except OSError:
            return
        folder = folder.parent


def prune(folder: Path) -> None:
    """Remove every empty folder under and including this one, unless it is a link to elsewhere."""
    if folder.is_symlink():
        return
    for parent, _, _ in os.walk(folder, topdown=False):
        try:
            os.rmdir(parent)
        except OSError:
            continue  # not empty: it stays


def _link_then_unlink(source: Path, target: Path) -> None:
    # A crash in between leaves one file with two names, which recovery resolves.
    os.link(source, target)
    try:
        os.unlink(source)
    except OSError:
        os.unlink(target)
        raise


def _rename_to_free_place(source: Path, target: Path) -> None:
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    os.rename(source, target)


def _copy_across(source: Path, target: Path) -> None:
    """Copy under a name of its own, make it like the source in every way, and only then give it its name."""
    part = part_of(target)
    before = os.lstat(source)
    try:
        drop_part(target)
        # Exclusive: nothing that lies at this name, a link least of all, is written through.
        with open(source, "rb") as reading, open(part, "xb") as writing:
            shutil.copyfileobj(reading, writing, 1 << 20)
            writing.flush()
            os.fsync(writing.fileno())
        if images.digest(part) != images.digest(source):
            raise OSError(errno.EIO, "the copy on the other volume differs", str(target))
        if hasattr(os, "chown") and os.geteuid() == 0:
            os.chown(part, before.st_uid, before.st_gid)  # clears set-user-id bits, which copystat then sets
        shutil.copystat(source, part)
        after = os.lstat(source)
        if (after.st_ino, after.st_size, after.st_mtime_ns) != (before.st_ino, before.st_size, before.st_mtime_ns):
            raise OSError(errno.EBUSY, "it changed while it was copied to the other volume", str(source))
        _name_part(part, target)
    except BaseException:
        drop_part(target)
        raise
    try:
        _delete_copied(source, before)
    except OSError:
        if os.path.lexists(source):
            os.unlink(target)  # a source that cannot be removed stays, and then alone
        raise


def _delete_copied(source: Path, copied: os.stat_result) -> None:
    """Delete what was copied, and no version saved since: it loses its name first, is looked at, and only then goes."""
    aside = aside_of(source)
    _rename_to_free_place(source, aside)
    try:
        now = os.lstat(aside)
        if (now.st_ino, now.st_size, now.st_mtime_ns) != (copied.st_ino, copied.st_size, copied.st_mtime_ns):
            raise OSError(errno.EBUSY, "it changed while it was copied to the other volume", str(source))
        os.unlink(aside)
    except OSError:
        bring_back_aside(source)
        raise


def _name_part(part: Path, target: Path) -> None:
    try:
        _link_then_unlink(part, target)
    except OSError as problem:
        # Layered file systems call even two names in one folder different volumes.
        if problem.errno not in _NO_HARD_LINKS | {errno.EXDEV}:
            raise
        _rename_to_free_place(part, target)
