"""One working process per folder: the lock that indexing, removing, undoing and purging hold, and who holds it."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from dedup import permissions, settings
from dedup.errors import DedupError, FolderBusy
from dedup.store.connection import database_path

LOCK_NAME = "image_database.lock"
# Beside the lock, since not every system lets others read a file that is locked.
HOLDER_SUFFIX = ".holder"
REMEDY = "Wait until it has finished, then try again."


@contextmanager
def folder_lock(root: Path, doing: str = "working") -> Iterator[None]:
    """Hold the folder for the block; raises FolderBusy at once when another process holds it, and says which.

    ``doing`` is what others are told meanwhile. The operating system releases the lock of a process that dies. On
    network drives that do not pass locks on (SMB often, NFS before version 4) it holds on this computer only.
    """
    path = database_path(root).with_name(LOCK_NAME)
    mode = permissions.of_folder(root)
    if path.parent != root:
        mode = permissions.PRIVATE
        _make_folder(path.parent)
    with _held(path, mode, f"Another run of this tool is working on {root}", doing):
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
    with _held(path, permissions.PRIVATE, "Another run of this tool is removing files", "removing"):
        yield


@contextmanager
def _held(path: Path, mode: int, message: str, doing: str) -> Iterator[None]:
    lock, holder = FileLock(path, timeout=0, mode=mode & 0o666), path.with_name(path.name + HOLDER_SUFFIX)
    try:
        lock.acquire()
    except Timeout as problem:
        raise FolderBusy(f"{message}{_who(holder)}.", REMEDY) from problem
    except OSError as problem:
        raise DedupError(
            f"{path} cannot be written: {problem.strerror}.", "Ask for permission to write there."
        ) from problem
    try:
        _write(holder, mode, json.dumps({"pid": os.getpid(), "host": _host(), "doing": doing, "since": time.time()}))
        yield
    finally:
        if holder.exists():  # and the drive was not pulled meanwhile
            _write(holder, mode, "")
        lock.release()


def _write(holder: Path, mode: int, text: str) -> None:
    # It only helps to name the holder: on a full disk or a read-only one the work goes on without.
    with suppress(OSError):
        permissions.make_file(holder, mode)
        holder.write_text(text, encoding="utf-8")


def _who(holder: Path) -> str:
    """What is known of the process that holds a lock, in words; empty where that is nothing, or of one that died."""
    try:
        known = json.loads(holder.read_text(encoding="utf-8"))
        pid, host, doing, since = known["pid"], known["host"], known["doing"], known["since"]
        if not (isinstance(pid, int) and 0 < pid < 1 << 31 and isinstance(host, str) and isinstance(doing, str)):
            return ""
        started = datetime.fromtimestamp(since).strftime("%Y-%m-%d %H:%M:%S")
    except (OSError, ValueError, TypeError, KeyError, OverflowError):
        return ""
    if host == _host() and not _is_alive(pid):
        return ""
    where = "" if host == _host() else f" on {host}"
    return f" ({doing}, process {pid}{where}, since {started})"


def _is_alive(pid: int) -> bool:
    if os.name == "nt":
        return True  # asking by signal would end it there
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _host() -> str:
    return socket.gethostname()


def _make_folder(path: Path) -> None:
    try:
        permissions.make_folder(path)
    except OSError as problem:
        raise DedupError(
            f"{path} cannot be made: {problem.strerror}.", "Let DEDUP_HOME name a folder that can be written."
        ) from problem
