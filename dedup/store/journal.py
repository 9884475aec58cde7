"""The journal of removals: what was to move where, and how far it got.

A row is committed as ``planned`` before its file moves and becomes ``moved`` after;
after a crash the disk tells which of the two is true (see ``dedup.trash.recovery``).
The rows of ``pictures`` follow in the same transaction, so they never run ahead of the files.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from dedup.store.catalogue import Catalogue
from dedup.store.connection import in_words, path_from_column, path_to_column

_COLUMNS = (
    "id, run_id, path, trash_path, restored_path, size, mtime_ns, digest, keeper, similarity, tier, state, reason, "
    "keeper_digest, how, target, unit"
)
WITH_PREVIOUS = -1
# Ways that leave the picture where it was: its row stays that of a picture in its place.
_STAYS = ("copy", "reflink")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of one run; paths are relative to the folder. ``state`` as in the schema.

    ``how`` is the way it is disposed of; ``target`` the folder chosen for it, and then ``trash_path`` is absolute.
    ``unit``: of a file that moves with a picture, the id of the picture's entry; before it has one ``WITH_PREVIOUS``.
    """

    id: int
    run_id: str
    path: str
    trash_path: str
    restored_path: str
    size: int
    mtime_ns: int
    digest: bytes
    keeper: str
    similarity: float
    tier: str
    state: str = "planned"
    reason: str = ""
    keeper_digest: bytes = b""
    how: str = "trash"
    target: str = ""
    unit: int | None = None


class Journal:
    """The runs and entries kept in one folder's database."""

    def __init__(self, store: Catalogue) -> None:
        self._store = store
        self.path = store.path

    def begin(self, run_id: str, folders: Iterable[str], entries: Iterable[Entry]) -> list[Entry]:
        """Commit a run with all its entries as ``planned``; the entries come back with their ids.

        An entry with unit ``WITH_PREVIOUS`` belongs to the last entry before it that is a picture's.
        """
        written: list[Entry] = []
        picture = 0
        with self._store.transaction() as db:
            db.execute(
                "INSERT OR IGNORE INTO runs(id, started_at, folders) VALUES (?, ?, ?)",
                (run_id, datetime.now(UTC).isoformat(timespec="seconds"), json.dumps(list(folders))),
            )
            for entry in entries:
                unit = picture if entry.unit == WITH_PREVIOUS else entry.unit
                cursor = db.execute(
                    "INSERT INTO journal(run_id, path, trash_path, size, mtime_ns, digest, keeper, similarity, tier, "
                    "state, keeper_digest, how, target, unit) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        run_id,
                        path_to_column(entry.path),
                        path_to_column(entry.trash_path),
                        entry.size,
                        entry.mtime_ns,
                        entry.digest,
                        path_to_column(entry.keeper),
                        entry.similarity,
                        entry.tier,
                        entry.state,
                        entry.keeper_digest,
                        entry.how,
                        path_to_column(entry.target),
                        unit,
                    ),
                )
                written.append(replace(entry, id=int(cursor.lastrowid or 0), unit=unit))
                picture = written[-1].id if unit is None else picture
        return written

    def mark(self, entries: Iterable[Entry], state: str, reason: str = "", restored_path: str = "") -> None:
        """Commit the new state of entries, and let the rows of their pictures follow."""
        with self._store.transaction() as db:
            for entry in entries:
                db.execute(
                    "UPDATE journal SET state = ?, reason = ?, restored_path = ? WHERE id = ?",
                    (state, reason, path_to_column(restored_path) if restored_path else None, entry.id),
                )
                _follow(db, entry, state, restored_path)

    @in_words
    def entries(self, run_id: str | None = None, states: Iterable[str] = ()) -> list[Entry]:
        """The entries of a run (or of all), of some states (or of any), oldest first."""
        wanted = list(states)
        marks = ", ".join("?" * len(wanted))
        sql = f"SELECT {_COLUMNS} FROM journal WHERE (? IS NULL OR run_id = ?)"
        sql += f" AND state IN ({marks})" if wanted else ""
        return [_entry(row) for row in self._store.query(sql + " ORDER BY id", (run_id, run_id, *wanted))]

    @in_words
    def unit_of(self, entry: Entry) -> list[Entry]:
        """The entries that move together with one, itself included, the picture's first."""
        sql = f"SELECT {_COLUMNS} FROM journal WHERE id = ? UNION ALL SELECT {_COLUMNS} FROM journal WHERE unit = ?"
        picture = entry.unit or entry.id
        return [_entry(row) for row in self._store.query(sql, (picture, picture))]

    @in_words
    def runs_holding(self, state: str) -> set[str]:
        """The ids of the runs with a file in a state."""
        return {row[0] for row in self._store.query("SELECT DISTINCT run_id FROM journal WHERE state = ?", (state,))}

    @in_words
    def runs(self) -> list[tuple[str, str, list[str]]]:
        """(run id, when it started, the folders it removed from), newest first."""
        rows = self._store.query("SELECT id, started_at, folders FROM runs ORDER BY id DESC")
        return [
            (str(run), str(started), [str(folder) for folder in json.loads(folders)]) for run, started, folders in rows
        ]


def _follow(db: sqlite3.Connection, entry: Entry, state: str, restored_path: str) -> None:
    path = path_to_column(entry.path)
    if entry.how in _STAYS:
        return
    if state in ("moved", "purging"):
        db.execute("UPDATE pictures SET state = 'trash' WHERE path = ? AND digest = ?", (path, entry.digest))
    elif state == "restored":
        back_at = path_to_column(restored_path) if restored_path else path
        db.execute(
            "UPDATE OR IGNORE pictures SET state = 'ok', path = ? WHERE path = ? AND digest = ? AND state = 'trash'",
            (back_at, path, entry.digest),
        )
    elif state == "failed" and entry.how == "delete":
        # It is back in its place, unless an earlier run left it in the trash.
        db.execute(
            "UPDATE pictures SET state = 'ok' WHERE path = ? AND digest = ? AND state = 'trash' AND NOT EXISTS "
            "(SELECT 1 FROM journal WHERE path = pictures.path AND state IN ('moved', 'purging'))",
            (path, entry.digest),
        )
    elif state == "handed over":
        db.execute("DELETE FROM pictures WHERE path = ? AND digest = ?", (path, entry.digest))
    elif state in ("purged", "lost"):
        db.execute("DELETE FROM pictures WHERE path = ? AND digest = ? AND state = 'trash'", (path, entry.digest))


def _entry(row: tuple[object, ...]) -> Entry:
    values = list(row)
    for column in (2, 3, 4, 8, 15):
        value = values[column]
        values[column] = path_from_column(value) if isinstance(value, str | bytes) else ""
    kinds = [type(values[column]) for column in (0, 1, 5, 6, 7, 10, 11, 12, 13)]
    if kinds != [int, str, int, int, bytes, str, str, str, bytes]:
        raise TypeError(f"a removal of {values[2]!a} is not told as removals are")
    return Entry(*values)  # type: ignore[arg-type]
