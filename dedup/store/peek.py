"""Read vectors from a folder's database and leave no trace: nothing is made, migrated, locked or written."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from dedup.provenance import Provenance
from dedup.store.connection import DATABASE_NAME, database_path, path_to_column
from dedup.store.schema import APPLICATION_ID, MIGRATIONS, version_of

FIND_SET = (
    "SELECT id FROM embedding_sets WHERE (encoder, checkpoint, layer, preprocessing, dim, dtype) = (?, ?, ?, ?, ?, ?)"
)
FIND_VECTOR = (
    "SELECT p.size, p.mtime_ns, e.vector FROM pictures p JOIN embeddings e ON e.picture_id = p.id "
    "WHERE p.path = ? AND e.set_id = ? AND p.state = 'ok'"
)


class Peek:
    """The vectors of one set in a folder's database, as far as it can be read just as it lies there.

    A database that is damaged, another program's, of another version, or written to meanwhile holds nothing for us:
    whoever asks reads the pictures instead.
    """

    def __init__(self, root: Path, provenance: Provenance) -> None:
        path = database_path(root)
        self._path = path if path.exists() else root / DATABASE_NAME
        self._connection: sqlite3.Connection | None = None
        self._set_id = 0
        self._written = _written(self._path)
        with suppress(sqlite3.Error, OSError):
            self._open(provenance)

    def vectors(self, files: Iterable[tuple[str, int, int]]) -> dict[str, bytes]:
        """Of files (path in the folder, size, mtime_ns) that are as they were indexed: path -> the vector as stored."""
        found: dict[str, bytes] = {}
        if self._connection is None or not self._set_id:
            return found
        try:
            for path, size, mtime_ns in files:
                row = self._connection.execute(FIND_VECTOR, (path_to_column(path), self._set_id)).fetchone()
                if row is not None and row[:2] == (size, mtime_ns):
                    found[path] = row[2]
        except sqlite3.Error:
            found = {}
        if not found or _written(self._path) != self._written:
            # What was read while somebody wrote may be torn.
            return {}
        return found

    def close(self) -> None:
        """Let go of the database."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self, provenance: Provenance) -> None:
        # A reader of a database in WAL mode would leave files beside it: only "immutable" leaves none. Where another
        # process is at work those files are there already.
        log, shared = (self._path.with_name(self._path.name + end) for end in ("-wal", "-shm"))
        is_at_work = log.exists() and log.stat().st_size > 0
        if is_at_work and not shared.exists():
            return  # reading what a crash left would make that file anew
        how = "mode=ro" if is_at_work else "mode=ro&immutable=1"
        address = f"file:{quote(os.fsencode(self._path.absolute()))}?{how}"
        self._connection = sqlite3.connect(address, uri=True, timeout=5.0, check_same_thread=False)
        ours = self._connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        if ours and version_of(self._connection) == len(MIGRATIONS):
            made_by = provenance
            key = (made_by.encoder, made_by.checkpoint, made_by.layer, made_by.preprocessing, made_by.dim)
            row = self._connection.execute(FIND_SET, (*key, made_by.dtype)).fetchone()
            self._set_id = row[0] if row else 0


def _written(path: Path) -> tuple[int, int]:
    """What changes when a database file is written to: (time, size)."""
    with suppress(OSError):
        status = path.stat()
        return status.st_mtime_ns, status.st_size
    return 0, 0
