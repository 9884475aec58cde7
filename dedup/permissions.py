"""Who may see what the tool writes: what is made for a folder is as open as that folder, and never more."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO

PRIVATE = 0o700
# The owner can always use what was made; what everybody may write, nobody can rely on.
_ALWAYS, _NEVER = 0o700, 0o002


def of_folder(folder: str | os.PathLike[str]) -> int:
    """The mode of what is made for a folder: that of the folder itself, but not for everybody to write."""
    try:
        return (stat.S_IMODE(os.stat(folder).st_mode) & 0o777 & ~_NEVER) | _ALWAYS
    except (OSError, ValueError):  # gone, or no name a folder can have
        return PRIVATE


def of_folders(folders: Iterable[str | os.PathLike[str]]) -> int:
    """The mode of what is made of the pictures of several folders: open to those who may see all of them."""
    modes = [of_folder(folder) for folder in folders]
    mode = 0o777 & ~_NEVER if modes else PRIVATE
    for one in modes:
        mode &= one
    return mode


def make_folder(folder: Path, mode: int = PRIVATE) -> None:
    """Make a folder and the missing ones above it, all with this mode whatever the umask; OSError where it cannot."""
    if folder.is_dir():
        return
    make_folder(folder.parent, mode)
    try:
        os.mkdir(folder, PRIVATE)
    except FileExistsError:
        if folder.is_dir():
            return  # another process was quicker
        raise
    # A folder inherits its group from one that passes it on: that bit stays.
    inherited = stat.S_IMODE(os.stat(folder).st_mode) & stat.S_ISGID
    with suppress(OSError):  # a file system without permissions
        os.chmod(folder, mode | inherited)


def make_file(path: Path, mode: int) -> None:
    """Make an empty file with this folder mode, as far as it concerns files, unless there is something at its path."""
    with suppress(FileExistsError), new_file(path, mode):
        pass


def new_file(path: Path, mode: int = PRIVATE) -> IO[bytes]:
    """A file that was not there, open for writing, with this folder mode as far as it concerns files; OSError."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    if hasattr(os, "fchmod"):
        with suppress(OSError):  # a file system without permissions
            os.fchmod(handle, mode & 0o666)
    return os.fdopen(handle, "wb")


def write_private(path: Path, content: bytes) -> None:
    """Write a file, over what it held, that only its owner can read; its folder is made; OSError."""
    make_folder(path.parent)
    make_file(path, PRIVATE)
    path.write_bytes(content)
