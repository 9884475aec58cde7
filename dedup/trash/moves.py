"""The moves themselves. The only functions of the product that rename or delete a user's file."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from dedup import images, permissions

# Hard links are how a rename is made that cannot overwrite; some file systems have none.
_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EACCES}

# renameat2(2): relative to the working directory, replacing nothing; not every file system knows it.
_HERE, _NO_REPLACE = -100, 1
_NO_SUCH_CALL = {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP}

PART_PREFIX = ".dedup-part-"
ASIDE_PREFIX = ".dedup-aside-"


def move_away(source: Path, target: Path) -> None:
    """Move a user's file to a place nobody else writes to; FileExistsError when it is taken.

    One rename, so that a version saved at that very moment moves along instead of being lost.
    On another volume the file is copied with times and permissions, compared by digest, and
    only then removed. Folders on the way to the target are made.
    """
    _make_folder(target.parent, source.parent)
    _renamed_or_copied(_rename_to_free_place, source, target)


def move_back(source: Path, target: Path) -> None:
    """Move a file of ours to a place anyone may write to; FileExistsError when it is taken, never overwriting.

    Otherwise as ``move_away``.
    """
    _make_folder(target.parent, source.parent)
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


def copy_verified(source: Path, target: Path, digest: str) -> None:
    """Copy a user's file to a new place, times and permissions too, and read it back.

    Raises OSError where the place is taken, or where the copy has not the SHA-256 (in hex) that the file is to have.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # Exclusive: nothing that lies at this name, a link least of all, is written through.
    with open(source, "rb") as reading, open(target, "xb") as writing:
        shutil.copyfileobj(reading, writing, 1 << 20)
        writing.flush()
        os.fsync(writing.fileno())
    if images.digest(target).hex() != digest:
        raise OSError(errno.EIO, "it has other bytes than when it was indexed", str(source))
    shutil.copystat(source, target)


def free_bytes(folder: Path) -> int:
    """How many bytes the volume of a folder has left."""
    return shutil.disk_usage(folder).free


def move_to_folder(source: Path, target: Path) -> None:
    """Move a user's file into a folder of the user's, in one rename that overwrites nothing where the system has it.

    Otherwise as ``move_away``.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _renamed_or_copied(_rename_overwriting_nothing, source, target)


def copy_to_folder(source: Path, target: Path) -> None:
    """Copy a user's file, with times and permissions, compared by digest; FileExistsError when the place is taken."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    try:
        _write_part(source, target)
    except BaseException:
        drop_part(target)
        raise


def move_aside(source: Path, aside: Path) -> None:
    """Take a file's name from it for a moment, within its folder; FileExistsError when the other name is taken."""
    _rename_overwriting_nothing(source, aside)


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


def drop_leftover(part: Path) -> None:
    """Remove what an interrupted copy left in the trash, under the name such a copy grows by."""
    if part.name.startswith(PART_PREFIX):
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
            name_part(aside, path)


def write_new(target: Path, data: bytes) -> None:
    """Write a file of ours where none is; FileExistsError when the place is taken. Half a file never has the name."""
    part = part_of(target)
    try:
        drop_part(target)
        with open(part, "xb") as writing:
            writing.write(data)
            writing.flush()
            os.fsync(writing.fileno())
        name_part(part, target)
    except BaseException:
        drop_part(target)
        raise


def write_anew(target: Path, data: bytes, mode: int) -> None:
    """Write a file of ours, whole, with a folder's mode; an older one of ours is replaced and gives its mode."""
    part = part_of(target)
    try:
        drop_part(target)
        if os.path.lexists(target):
            mode = stat.S_IMODE(os.lstat(target).st_mode)
        with permissions.new_file(part, mode) as writing:
            writing.write(data)
            writing.flush()
            os.fsync(writing.fileno())
        os.replace(part, target)
    except BaseException:
        drop_part(target)
        raise


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


def _make_folder(folder: Path, like: Path) -> None:
    """Make a folder of a mirrored tree, and the missing ones above it, as open as those that they mirror."""
    if folder.is_dir():
        return
    # Above the mirrored tree (a run, the trash itself) everything is like its topmost folder.
    _make_folder(folder.parent, like.parent if folder.name == like.name else like)
    permissions.make_folder(folder, permissions.of_folder(like))


def _link_then_unlink(source: Path, target: Path) -> None:
    # A crash in between leaves one file with two names, which recovery resolves.
    os.link(source, target)
    try:
        os.unlink(source)
    except OSError:
        os.unlink(target)
        raise


def _rename_overwriting_nothing(source: Path, target: Path) -> None:
    """A rename that fails when the target exists: by the system's own call, or after a look where it has none."""
    if sys.platform == "linux":
        import ctypes

        renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
        if renameat2 is not None:
            if not renameat2(_HERE, os.fsencode(source), _HERE, os.fsencode(target), _NO_REPLACE):
                return
            number = ctypes.get_errno()
            if number not in _NO_SUCH_CALL:
                raise OSError(number, os.strerror(number), str(target))
    _rename_to_free_place(source, target)


def _rename_to_free_place(source: Path, target: Path) -> None:
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    os.rename(source, target)


def _renamed_or_copied(rename: Callable[[Path, Path], None], source: Path, target: Path) -> None:
    try:
        rename(source, target)
    except OSError as problem:
        if problem.errno != errno.EXDEV:
            raise
        _copy_across(source, target)


def _copy_across(source: Path, target: Path) -> None:
    """Copy to another volume, and only then remove the source."""
    try:
        copied = _write_part(source, target)
    except BaseException:
        drop_part(target)
        raise
    try:
        _delete_copied(source, copied)
    except OSError:
        if os.path.lexists(source):
            os.unlink(target)  # a source that cannot be removed stays, and then alone
        raise


def _write_part(source: Path, target: Path) -> os.stat_result:
    """Copy under a name of its own, make it like the source in every way, and only then give it its name.

    Returns the status of the source that was copied.
    """
    part = part_of(target)
    before = os.lstat(source)
    drop_part(target)
    # Exclusive: nothing that lies at this name, a link least of all, is written through.
    with open(source, "rb") as reading, open(part, "xb") as writing:
        shutil.copyfileobj(reading, writing, 1 << 20)
        writing.flush()
        os.fsync(writing.fileno())
    if images.digest(part) != images.digest(source):
        raise OSError(errno.EIO, "the copy on the other volume differs", str(target))
    make_alike(source, part)
    after = os.lstat(source)
    if (after.st_ino, after.st_size, after.st_mtime_ns) != (before.st_ino, before.st_size, before.st_mtime_ns):
        raise OSError(errno.EBUSY, "it changed while it was copied to the other volume", str(source))
    name_part(part, target)
    return after


def make_alike(source: Path, part: Path) -> None:
    """Give a copy the owner, permissions, times and attributes of its source."""
    if hasattr(os, "chown") and os.geteuid() == 0:
        status = os.lstat(source)
        os.chown(part, status.st_uid, status.st_gid)  # clears set-user-id bits, which copystat then sets
    shutil.copystat(source, part)


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


def name_part(part: Path, target: Path) -> None:
    """Give a whole copy its name; FileExistsError when it is taken."""
    try:
        _link_then_unlink(part, target)
    except OSError as problem:
        # Layered file systems call even two names in one folder different volumes.
        if problem.errno not in _NO_HARD_LINKS | {errno.EXDEV}:
            raise
        _rename_to_free_place(part, target)
