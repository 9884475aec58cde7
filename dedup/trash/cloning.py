"""Copies that share their blocks (reflinks), where the file system has them: btrfs, XFS, bcachefs; APFS.

FICLONE and FS_IOC_FIEMAP as in linux/fs.h and linux/fiemap.h; clonefile(2) of macOS.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
from pathlib import Path

_FICLONE = 0x40049409
_FIEMAP = 0xC020660B
_FIEMAP_FLAG_SYNC = 1
_EXTENT_LAST, _EXTENT_SHARED = 0x0001, 0x2000
_EXTENTS = 64
_HEADER, _EXTENT = struct.Struct("=QQLLLL"), struct.Struct("=QQQQQLLLL")
# What a file system says that cannot share, in one sentence.
_CANNOT = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.ENOSYS}
CANNOT = "this file system cannot share bytes between files (btrfs, XFS and APFS can)"
OTHER_VOLUME = "it lies on another volume than the picture kept"


def clone(source: Path, target: Path) -> None:
    """Make a new file that shares all blocks of the source; OSError where that cannot be."""
    if sys.platform == "darwin":
        _clonefile(source, target)
        return
    with open(source, "rb") as reading, open(target, "xb") as writing:
        _ficlone(writing.fileno(), reading.fileno())
        os.fsync(writing.fileno())


def why_not(source: Path, folder: Path) -> str | None:
    """The reason the source cannot be cloned into a folder, tried on a file without a name; None where it can.

    Where a file without a name cannot be made, nothing is known before the act.
    """
    if sys.platform == "darwin":
        return None
    if not hasattr(os, "O_TMPFILE"):
        return CANNOT
    try:
        nameless = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
    except OSError:
        return None
    try:
        with open(source, "rb") as reading:
            _ficlone(nameless, reading.fileno())
    except OSError as problem:
        return _explained(problem)
    finally:
        os.close(nameless)
    return None


def is_shared(one: Path, other: Path) -> bool:
    """Whether two files lie in the very same shared blocks, as far as the file system says."""
    blocks = _blocks(one)
    return bool(blocks) and blocks == _blocks(other)


def _explained(problem: OSError) -> str:
    if problem.errno == errno.EXDEV:
        return OTHER_VOLUME
    return CANNOT if problem.errno in _CANNOT else f"cannot share its bytes: {problem.strerror or problem}"


def _ficlone(writing: int, reading: int) -> None:
    try:
        import fcntl
    except ImportError:
        raise OSError(errno.ENOSYS, CANNOT) from None
    try:
        fcntl.ioctl(writing, _FICLONE, reading)
    except OSError as problem:
        raise OSError(problem.errno, _explained(problem)) from problem


def _clonefile(source: Path, target: Path) -> None:
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    if library.clonefile(os.fsencode(source), os.fsencode(target), 0):
        number = ctypes.get_errno()
        raise OSError(number, _explained(OSError(number, os.strerror(number))))


def _blocks(path: Path) -> list[tuple[int, int, int]]:
    """(place in the file, place on the volume, length) of each extent; empty unless all are shared and all are told."""
    if sys.platform != "linux":
        return []
    import fcntl

    request = bytearray(_HEADER.size + _EXTENTS * _EXTENT.size)
    _HEADER.pack_into(request, 0, 0, (1 << 64) - 1, _FIEMAP_FLAG_SYNC, 0, _EXTENTS, 0)
    try:
        with open(path, "rb") as file:
            fcntl.ioctl(file.fileno(), _FIEMAP, request)
    except OSError:
        return []
    count = _HEADER.unpack_from(request)[3]
    extents = [_EXTENT.unpack_from(request, _HEADER.size + number * _EXTENT.size) for number in range(count)]
    if not extents or not extents[-1][5] & _EXTENT_LAST or not all(one[5] & _EXTENT_SHARED for one in extents):
        return []
    return [(one[0], one[1], one[2]) for one in extents]
