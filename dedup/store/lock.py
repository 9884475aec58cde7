"""One working process per folder: the lock that indexing, removing, undoing and purging hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from dedup.errors import DedupError, FolderBusy
from dedup.store.connection import database_path

LOCK_NAME = "image_database.lock"


@contextmanager
def folder_lock(root: Path) -> Iterator[None]:
    """Hold the folder for the block; raises FolderBusy at once when another process holds it.

    The operating system releases the lock of a process that dies.
    """
    path = database_path(root).with_name(LOCK_NAME)
    lock = FileLock(path, timeout=0)
    try:
        if path.parent != root:
            path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as problem:
        raise FolderBusy(
            f"Another run of this tool is working on {root}.", "Wait until it has finished, then try again."
        ) from problem
    except OSError as problem:
        raise DedupError(
            f"{path} cannot be written: {problem.strerror}.", "Ask the folder's owner for permission."
        ) from problem
    try:
        yield
    finally:
        lock.release()
