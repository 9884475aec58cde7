"""One working process per folder: the lock that indexing, removing, undoing and purging hold."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from dedup import permissions, settings
from dedup.errors import DedupError, FolderBusy
from dedup.store.connection import database_path

LOCK_NAME = "image_database.lock"


@contextmanager
def folder_lock(root: Path) -> Iterator[None]:
    """Hold the folder for the block; raises FolderBusy at once when another process holds it.

    The operating system releases the lock of a process that dies.
    """
    path = database_path(root).with_name(LOCK_NAME)
    mode = permissions.of_folder(root)
    if path.parent != root:
        mode = permissions.PRIVATE
        _make_folder(path.parent)
    with _held(path, mode, f"Another run of this tool is working on {root}."):
        yield


@contextmanager
def removal_lock() -> Iterator[None]:
    """Hold the right to remove files on this machine; raises FolderBusy when another process has it."""
    path = settings.home() / "removal.lock"
    try:
        _make_folder(path.parent)
    except DedupError:
        # A home that cannot be written must not keep anyone from removing.
        user = os.getuid() if hasattr(os, "getuid") else 0
        path = Path(tempfile.gettempdir()) / f"dedup-removal-{user}.lock"
    with _held(path, permissions.PRIVATE, "Another run of this tool is removing files."):
        yield


@contextmanager
def _held(path: Path, mode: int, message: str) -> Iterator[None]:
    lock = FileLock(path, timeout=0, mode=mode & 0o666)
    try:
        lock.acquire()
    except Timeout as problem:
        raise FolderBusy(message, "Wait until it has finished, then try again.") from problem
    except OSError as problem:
        raise DedupError(
            f"{path} cannot be written: {problem.strerror}.", "Ask for permission to write there."
        ) from problem
    try:
        yield
    finally:
        lock.release()


def _make_folder(path: Path) -> None:
    try:
        permissions.make_folder(path)
    except OSError as problem:
        raise DedupError(
            f"{path} cannot be made: {problem.strerror}.", "Let DEDUP_HOME name a folder that can be written."
        ) from problem
