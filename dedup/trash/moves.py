"""The moves themselves. The only functions of the product that rename or delete a user's file."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path

from dedup import images

# Hard links are how a rename is made that cannot overwrite; some file systems have none.
_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EACCES}


def move(source: Path, target: Path) -> None:
    """Move a file to a free place; FileExistsError when it is taken, never overwriting.

    On another volume the file is copied with times and permissions, compared by digest,
    and only then removed. Folders on the way to the target are made.
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


def drop_second_name(path: Path, other: Path) -> None:
    """Remove one of two names of the same file; refuses when they are different files."""
    if not os.path.samefile(path, other):
        raise FileExistsError(errno.EEXIST, "another file is in the way", str(path))
    os.unlink(path)


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
    """Remove every empty folder under and including this one."""
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
    status = os.lstat(source)
    with open(source, "rb") as reading, open(target, "xb") as writing:
        try:
            shutil.copyfileobj(reading, writing, 1 << 20)
            writing.flush()
            os.fsync(writing.fileno())
            if images.digest(target) != images.digest(source):
                raise OSError(errno.EIO, "the copy on the other volume differs", str(target))
        except BaseException:
            os.unlink(target)
            raise
    shutil.copystat(source, target)
    if hasattr(os, "chown") and os.geteuid() == 0:
        os.chown(target, status.st_uid, status.st_gid)
    assert stat.S_ISREG(status.st_mode)
    os.unlink(source)
