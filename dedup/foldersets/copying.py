"""How a picture gets into the output folder: as a reflink, a copy or, when asked for by name, a hard link.

The only place besides the trash that gives a user's file a second name; it never takes one away. A hard link is the
original under another name: what is edited there is edited everywhere. So it is never chosen without being named.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from pathlib import Path
from typing import IO

from dedup.errors import DedupError
from dedup.trash import FileStamp, moves

LINK_MODES = ("auto", "hardlink", "reflink", "copy")
# linux/fs.h: let two files share their blocks until one of them is written to.
_FICLONE = 0x40049409


def place(source: FileStamp, target: Path, mode: str) -> None:
    """Lay a picture out at a free place in one of the modes but auto; OSError when it cannot be done or has changed.

    What the target holds afterwards is the picture as it was indexed, whole, or there is no target.
    """
    if mode == "hardlink":
        _require_unchanged(source)
        os.link(source.path, target, follow_symlinks=False)
        return
    part = moves.part_of(target)
    try:
        with open(source.path, "rb") as reading, open(part, "xb") as writing:
            if mode == "reflink":
                _reflink(reading, writing)
            elif _copy(reading, writing) != source.digest:
                raise _changed(source)
        _require_unchanged(source)
        shutil.copystat(source.path, part)
        os.chmod(part, os.stat(part).st_mode | stat.S_IWUSR)  # some systems refuse to delete what is read-only
        moves.move_away(part, target)
    except BaseException:
        moves.drop_part(target)
        raise


def settle_mode(mode: str, sample: FileStamp, total: int, output: Path) -> str:
    """The mode to use: auto becomes reflink where the file systems can, else copy; raises DedupError without room."""
    if mode == "auto":
        mode = "reflink" if _can_reflink(sample, output) else "copy"
    elif mode == "reflink" and not _can_reflink(sample, output):
        raise DedupError(
            f"The file system of {output} cannot share blocks with that of the pictures.",
            "Use --link-mode copy, or hardlink where both lie on one volume.",
        )
    if mode == "hardlink" and os.lstat(sample.path).st_dev != os.stat(output).st_dev:
        raise DedupError(
            f"{output} lies on another volume than the pictures, and hard links cannot lead there.",
            "Choose a folder beside the pictures, or --link-mode copy.",
        )
    free = shutil.disk_usage(output).free
    if mode == "copy" and total > free:
        raise DedupError(
            f"Copies of the sets need {total / 1e9:.1f} GB, and {output} has {free / 1e9:.1f} GB free.",
            "Choose a folder on another drive, or --link-mode hardlink, which takes no room.",
        )
    return mode


def _can_reflink(sample: FileStamp, output: Path) -> bool:
    probe = output / ".reflink-probe"
    try:
        place(sample, probe, "reflink")
        moves.erase(probe)
    except OSError:
        return False
    return True


def _reflink(reading: IO[bytes], writing: IO[bytes]) -> None:
    try:
        import fcntl
    except ImportError:
        raise OSError(errno.EOPNOTSUPP, "reflinks are known here only on Linux") from None
    fcntl.ioctl(writing.fileno(), _FICLONE, reading.fileno())


def _copy(reading: IO[bytes], writing: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while block := reading.read(1 << 20):
        digest.update(block)
        writing.write(block)
    return digest.hexdigest()


def _require_unchanged(source: FileStamp) -> None:
    status = os.lstat(source.path)
    if (status.st_size, status.st_mtime_ns) != (source.size, source.mtime_ns):
        raise _changed(source)


def _changed(source: FileStamp) -> OSError:
    return OSError(errno.ESTALE, "it has changed since it was indexed", source.path)
