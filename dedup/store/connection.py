"""Open a folder's database: where it lies, whether it is ours, and whether it is sound."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from dedup import permissions, settings
from dedup.errors import DedupError, DiskFull, command
from dedup.store.schema import APPLICATION_ID, MIGRATIONS, migrate, version_of

Arguments = ParamSpec("Arguments")
Value = TypeVar("Value")
DATABASE_NAME = "image_database.db"
# What SQLite's messages and the names in a damaged schema hold need not be Unicode.
TROUBLE = (sqlite3.Error, UnicodeDecodeError)
NEXT_TO_NOTHING = 1 << 20  # free bytes below which an I/O error means a full disk
# A table of this name holds the vectors of the tool this one replaces: left as it is.
FOREIGN_BUT_WELCOME = {"images", "sqlite_sequence"}


def database_path(root: Path) -> Path:
    """The folder's database: in the folder, or in the user's data directory where that is read-only."""
    inside = root / DATABASE_NAME
    if os.access(root, os.W_OK):
        return inside
    key = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    return settings.home() / "databases" / key / DATABASE_NAME


def has_database(root: Path) -> bool:
    """Whether the folder has a database, in it or, where it is read-only, in the user's data directory."""
    return database_path(root).exists() or (root / DATABASE_NAME).exists()


def connect(root: Path, *, create: bool, even_full: bool = False) -> sqlite3.Connection:
    """An open, migrated connection; raises DedupError where the file is damaged, foreign or newer.

    ``even_full``: also on a disk without room for SQLite's own files, and then alone with the database.
    """
    path = database_path(root)
    if not create and not has_database(root):
        raise DedupError(f"{root} has not been indexed yet.", "Run: " + command("index", str(root)))
    _refuse_what_is_no_file(path)
    connection = None
    try:
        _bring_along(root, path)
        last_written = path.stat().st_mtime_ns if path.exists() else None
        connection = _opened(
            path, permissions.of_folder(root) if path.parent == root else permissions.PRIVATE, even_full
        )
        connection.execute("PRAGMA foreign_keys = ON")
        # FULL: a journal row must be on the disk before the file it speaks of moves.
        connection.execute("PRAGMA synchronous = FULL")
        is_first = version_of(connection) == 0
        migrate(connection)
        if is_first:
            _note_foreign_table(connection, last_written)
    except TROUBLE as problem:
        if connection is not None:
            connection.close()
        raise explained(problem, path) from problem
    except DedupError:
        if connection is not None:
            connection.close()
        raise
    except OSError as problem:
        raise DedupError(
            f"{path} cannot be made: {problem.strerror}.", "Let DEDUP_HOME name a folder that can be written."
        ) from problem
    return connection


def _refuse_what_is_no_file(path: Path) -> None:
    """Raises DedupError where a folder, a link, a pipe or a device has the database's name."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return  # not there, or what cannot be looked at: opening it will tell
    if stat.S_ISDIR(mode):
        raise DedupError(f"{path} is a folder, where the database belongs.", "Rename that folder.")
    if stat.S_ISLNK(mode):
        # Two folders with one database would take each other's pictures for their own.
        raise DedupError(f"{path} is a link, where the database belongs.", "Put the database itself in its place.")
    if not stat.S_ISREG(mode):
        raise DedupError(f"{path} is no regular file, where the database belongs.", "Rename it, or remove it.")


def _logging_ahead(path: Path) -> sqlite3.Connection:
    """A connection that writes changes to a log first, so that none is ever half done."""
    connection = sqlite3.connect(path, timeout=30.0, isolation_level=None, check_same_thread=False)
    try:
        _refuse_what_is_not_ours(connection, path)
        _begin_log(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _begin_log(connection: sqlite3.Connection) -> None:
    """Let changes go to a log first; another process that does so at this moment makes SQLite refuse at once."""
    for wait in (*(0.01 * 2**number for number in range(9)), None):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as problem:
            if wait is None or "locked" not in str(problem):
                raise
            time.sleep(wait)


def _without_room(path: Path) -> sqlite3.Connection:
    """A connection for a full disk: alone with the database, its journal in memory.

    Without it nobody could empty the trash there. A power cut in the middle of a commit may damage the database, which
    indexing makes anew; the pictures in the trash come back without it.
    """
    connection = sqlite3.connect(path, timeout=30.0, isolation_level=None, check_same_thread=False)
    try:
        # Alone, SQLite needs no memory shared with others, which would be a file beside the database.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        _refuse_what_is_not_ours(connection, path)
        connection.execute("PRAGMA journal_mode = MEMORY")
    except BaseException:
        connection.close()
        raise
    return connection


def _opened(path: Path, mode: int, even_full: bool) -> sqlite3.Connection:
    # SQLite gives its files the umask's mode, and those beside the database that of the database.
    permissions.make_file(path, mode)
    try:
        return _logging_ahead(path)
    except sqlite3.OperationalError:
        if not even_full or not path.exists() or not path.stat().st_size or not _is_full(path):
            raise
    return _without_room(path)


def _note_foreign_table(connection: sqlite3.Connection, last_written: int | None) -> None:
    """Remember when the other tool last wrote: pictures changed after that have other vectors now."""
    connection.execute(
        "INSERT OR IGNORE INTO foreign_tables(name, written_ns) "
        "SELECT name, ? FROM sqlite_master WHERE type = 'table' AND name = 'images'",
        (last_written,),
    )


def _bring_along(root: Path, path: Path) -> None:
    """Let a folder that has become read-only keep the work done while it was not."""
    inside = root / DATABASE_NAME
    if path != inside:  # a picture folder that has gone, its drive pulled, is not made anew
        permissions.make_folder(path.parent)
    if path != inside and inside.exists() and not path.exists():
        # With its time, by which pictures changed since are told, and what is not yet written back into it.
        shutil.copy2(inside, path)
        log = inside.with_name(DATABASE_NAME + "-wal")
        if log.exists():
            shutil.copy2(log, path.with_name(log.name))


def explained(problem: Exception, path: Path) -> DedupError:
    """The DedupError that says what an error met in a database means to the user."""
    text = str(problem).lower()
    if "locked" in text or "busy" in text:
        return DedupError(f"{path} is in use by another program.", "Wait for it to finish, then try again.")
    if "full" in text or ("i/o error" in text and _is_full(path)):
        return DiskFull(f"The disk holding {path} is full.", "Free some space; the work so far is kept.")
    if "readonly" in text or "unable to open" in text:
        return DedupError(f"{path} cannot be written.", "Ask the folder's owner for permission.")
    if "i/o error" in text:
        return DedupError(f"{path} could not be read or written ({problem}).", "Check the drive, then try again.")
    return damaged(path, str(problem))


def damaged(path: Path, what: str) -> DedupError:
    """The DedupError for a database that cannot be trusted."""
    return DedupError(
        f"The database {path} is damaged ({what}).",
        "Move it away and index again; no picture is affected, and the trash can still be undone.",
    )


def _is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < NEXT_TO_NOTHING
    except OSError:
        return False


class _HasPath(Protocol):
    @property
    def path(self) -> Path: ...


_Reader = TypeVar("_Reader", bound=_HasPath)


def in_words(
    method: Callable[Concatenate[_Reader, Arguments], Value],
) -> Callable[Concatenate[_Reader, Arguments], Value]:
    """A method of something with a ``path`` that reads rows; values that make no sense become a DedupError."""

    @wraps(method)
    def explaining(self: _Reader, /, *given: Arguments.args, **named: Arguments.kwargs) -> Value:
        try:
            return method(self, *given, **named)
        except (TypeError, ValueError, OverflowError, AttributeError) as problem:
            raise damaged(self.path, f"a row makes no sense: {problem}") from problem

    return explaining


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path, *, reading: bool = False) -> Iterator[sqlite3.Connection]:
    """One transaction: all of it is committed, or none; raises DedupError on any SQLite error.

    With ``reading`` all its statements see the database as it was at the first, and keep nobody from writing.
    """
    try:
        connection.execute("BEGIN DEFERRED" if reading else "BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
    except TROUBLE as problem:
        if connection.in_transaction:  # a commit that failed; the next one may go through
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise explained(problem, path) from problem


def integrity_problems(connection: sqlite3.Connection) -> list[str]:
    """What SQLite's own integrity check finds; empty when the database is sound."""
    try:
        rows = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
        rows += [f"row {row[1]} of {row[0]} points nowhere" for row in connection.execute("PRAGMA foreign_key_check")]
    except TROUBLE as problem:
        return [str(problem)]
    return [row for row in rows if row != "ok"]


def path_to_column(path: str) -> str | bytes:
    """A path as SQLite can keep it: text, or the raw bytes where the name is not valid Unicode."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def path_from_column(value: str | bytes) -> str:
    """The path ``path_to_column`` was given."""
    return os.fsdecode(value)


def _refuse_what_is_not_ours(connection: sqlite3.Connection, path: Path) -> None:
    ours = connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    if version_of(connection) < 0:
        raise damaged(path, "its version makes no sense")
    if version_of(connection) > len(MIGRATIONS):
        raise DedupError(f"{path} was written by a newer version of this tool.", "Update this tool, then try again.")
    with closing(connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")) as rows:
        tables = {row[0] for row in rows}
    if not ours and tables - FOREIGN_BUT_WELCOME:
        raise DedupError(
            f"{path} belongs to another program (it holds the tables {', '.join(sorted(tables)[:5])}).",
            "Rename it if that program can do without the name; nothing in it was changed.",
        )
