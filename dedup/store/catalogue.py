"""The pictures of one folder and their embeddings, in its SQLite database."""

from __future__ import annotations

import sqlite3
import sys
from array import array
from collections.abc import Generator, Iterable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dedup.errors import DedupError
from dedup.provenance import Provenance
from dedup.store.connection import (
    TROUBLE,
    connect,
    database_path,
    explained,
    in_words,
    integrity_problems,
    path_from_column,
    path_to_column,
    transaction,
)
from dedup.vectors import Vectors, from_blob, to_blob

MOST_NUMBERS = 1 << 20  # more than any encoder gives for a view of a picture


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a folder as it was when it was indexed; sizes in bytes and pixels.

    ``frame``: the 256 bits of its whole frame, packed; empty where they were not taken.
    """

    root: Path
    path: str
    size: int
    mtime_ns: int
    width: int
    height: int
    format: str
    digest: bytes
    contrast: float = 255.0
    several_frames: bool = False
    frame: bytes = b""

    @property
    def full_path(self) -> Path:
        """The absolute path."""
        return self.root / self.path


@dataclass(frozen=True, slots=True)
class Indexed:
    """What reading one file gave: a picture with a vector for each set being filled, or the reason there is none."""

    path: str
    size: int
    mtime_ns: int
    digest: bytes | None
    width: int = 0
    height: int = 0
    format: str = ""
    contrast: float = 0.0
    reason: str = ""
    vectors: tuple[np.ndarray[Any, np.dtype[np.float32]], ...] = ()
    several_frames: bool = False
    frame: bytes = b""


@dataclass(frozen=True, slots=True)
class SetSummary:
    """An embedding set and how many pictures have a vector in it."""

    id: int
    provenance: Provenance
    pictures: int


class Catalogue:
    """One folder's database. Use as a context manager, or ``close`` it.

    Every method raises DedupError when the database cannot be used. ``even_full``: see ``connect``.
    """

    def __init__(self, root: Path, *, create: bool = False, even_full: bool = False) -> None:
        self.root = root
        self.path = database_path(root)
        self.connection = connect(root, create=create, even_full=even_full)

    def __enter__(self) -> Catalogue:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database; nothing is pending, every method commits its own work."""
        self.connection.close()

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """One write transaction, committed at the end of the block or not at all."""
        return transaction(self.connection, self.path)

    @in_words
    def lacking(self, alternatives: Iterable[Sequence[int]]) -> set[str]:
        """The paths of readable pictures without the fingerprint of their frame, or without a vector they should have.

        ``alternatives``: of each vector wanted, the ids of the sets any of which may hold it.
        """
        wanted = [tuple(ids) for ids in alternatives]
        has = "EXISTS (SELECT 1 FROM embeddings e WHERE e.picture_id = p.id AND e.set_id IN ({}))"
        all_of_them = " AND ".join(has.format(", ".join("?" * len(ids))) for ids in wanted) or "1"
        rows = self.query(
            f"SELECT path FROM pictures p WHERE state = 'ok' AND (frame IS NULL OR NOT ({all_of_them}))",
            [one for ids in wanted for one in ids],
        )
        return {path_from_column(row[0]) for row in rows}

    def query(self, sql: str, values: Sequence[Any] = ()) -> Generator[tuple[Any, ...], None, None]:
        """The rows of a reading statement, one by one."""
        try:
            # Not "yield from": that would close the cursor of rows nobody wants any more, maybe after the database.
            for row in self.connection.execute(sql, values):  # noqa: UP028
                yield row
        except TROUBLE as problem:
            raise explained(problem, self.path) from problem

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a reading statement, all at once: a third of the time where they are many and short."""
        try:
            return self.connection.execute(sql).fetchall()
        except TROUBLE as problem:
            raise explained(problem, self.path) from problem

    # -- pictures ---------------------------------------------------------------------

    @in_words
    def known(self) -> dict[str, tuple[int, int]]:
        """Every known path that is not in the trash -> (size, mtime_ns) when it was indexed."""
        rows = self.fetch("SELECT path, size, mtime_ns FROM pictures WHERE state != 'trash'")
        # Nearly every path is text: a call for each of a million would take longer than reading them.
        return {path if type(path) is str else path_from_column(path): (size, mtime) for path, size, mtime in rows}

    @in_words
    def unreadable(self) -> dict[str, str]:
        """The paths that could not be read -> the reason."""
        rows = self.query("SELECT path, reason FROM pictures WHERE state = 'unreadable' ORDER BY path")
        return {path_from_column(path): reason for path, reason in rows}

    @in_words
    def digests_of(self, paths: Iterable[str]) -> dict[str, tuple[int, bytes]]:
        """Those of the paths that are readable pictures -> (size, digest)."""
        found = {}
        for path in paths:
            for size, digest in self.query(
                "SELECT size, digest FROM pictures WHERE path = ? AND state = 'ok'", (path_to_column(path),)
            ):
                found[path] = (size, digest)
        return found

    def follow_moves(self, moves: Iterable[tuple[str, str, int]]) -> None:
        """Let rows follow files that moved: (old path, new path, new mtime_ns), in one transaction."""
        with self.transaction() as db:
            for old, new, mtime_ns in moves:
                db.execute("DELETE FROM pictures WHERE path = ?", (path_to_column(new),))
                db.execute(
                    "UPDATE pictures SET path = ?, mtime_ns = ? WHERE path = ?",
                    (path_to_column(new), mtime_ns, path_to_column(old)),
                )

    def touch(self, touched: Iterable[tuple[str, int]]) -> None:
        """Note the new mtime_ns of files whose bytes are the same as before: (path, mtime_ns)."""
        with self.transaction() as db:
            rows = [(mtime_ns, path_to_column(path)) for path, mtime_ns in touched]
            db.executemany("UPDATE pictures SET mtime_ns = ? WHERE path = ?", rows)

    def forget(self, paths: Iterable[str]) -> None:
        """Drop rows (and their embeddings) whose files are gone, in one transaction."""
        with self.transaction() as db:
            rows = [(path_to_column(path),) for path in paths]
            db.executemany("DELETE FROM pictures WHERE path = ? AND state != 'trash'", rows)

    def save(self, batch: Sequence[Indexed], provenances: Sequence[Provenance]) -> None:
        """Write one batch of pictures in one transaction, vector i of each into the set of provenance i.

        A picture whose bytes changed loses the vectors of its old bytes in every set. One that could be read
        before and now cannot, its bytes being the same as far as known, stays as it was.
        """
        set_ids = [self.set_id(provenance) for provenance in provenances]
        with self.transaction() as db:
            for item in batch:
                picture_id = _save_picture(db, item)
                sets = zip(set_ids, provenances, item.vectors, strict=True) if item.vectors else ()
                for set_id, provenance, vector in sets:
                    db.execute(
                        "INSERT INTO embeddings(picture_id, set_id, vector, contrast) VALUES (?, ?, ?, ?) "
                        "ON CONFLICT(picture_id, set_id) DO UPDATE "
                        "SET vector = excluded.vector, contrast = excluded.contrast",
                        (picture_id, set_id, to_blob(vector, provenance), item.contrast),
                    )

    def count(self, state: str) -> int:
        """How many pictures are in a state: ok, unreadable or trash."""
        return int(next(self.query("SELECT count(*) FROM pictures WHERE state = ?", (state,)))[0])

    # -- embedding sets ---------------------------------------------------------------

    def set_id(self, provenance: Provenance) -> int:
        """The id of the set with exactly this provenance, made when there is none."""
        key = (
            provenance.encoder,
            provenance.checkpoint,
            provenance.layer,
            provenance.preprocessing,
            provenance.dim,
            provenance.dtype,
        )
        columns = "(encoder, checkpoint, layer, preprocessing, dim, dtype)"
        find = f"SELECT id FROM embedding_sets WHERE {columns} = (?, ?, ?, ?, ?, ?)"
        if found := list(self.query(find, key)):
            return int(found[0][0])
        with self.transaction() as db:
            db.execute(f"INSERT OR IGNORE INTO embedding_sets{columns} VALUES (?, ?, ?, ?, ?, ?)", key)
        return int(next(self.query(find, key))[0])

    @in_words
    def sets(self) -> list[SetSummary]:
        """The embedding sets, the one with most pictures first, the oldest first among equals."""
        rows = self.query(
            "SELECT s.id, s.encoder, s.checkpoint, s.layer, s.preprocessing, s.dim, s.dtype, "
            "(SELECT count(*) FROM embeddings e JOIN pictures p ON p.id = e.picture_id "
            " WHERE e.set_id = s.id AND p.state = 'ok') AS n FROM embedding_sets s ORDER BY n DESC, s.id"
        )
        return [SetSummary(row[0], _provenance(row[1:7]), row[7]) for row in rows]

    @in_words
    def embedded(self, set_id: int) -> set[str]:
        """The paths that have a vector in the set."""
        rows = self.query(
            "SELECT p.path FROM embeddings e JOIN pictures p ON p.id = e.picture_id "
            "WHERE e.set_id = ? AND p.state = 'ok'",
            (set_id,),
        )
        return {path_from_column(row[0]) for row in rows}

    @in_words
    def load(self, provenance: Provenance) -> tuple[list[Picture], Vectors]:
        """The pictures of a set in path order and their vectors; none where there is no such set.

        Row i of the vectors belongs to picture i. The vectors are read straight into their places: gigabytes of
        them are never there twice.
        """
        with transaction(self.connection, self.path, reading=True):
            set_id = next((row.id for row in self.sets() if row.provenance == provenance), 0)
            return self._load(set_id, provenance)

    def _load(self, set_id: int, provenance: Provenance) -> tuple[list[Picture], Vectors]:
        found = self.query(
            "SELECT e.id, p.path, p.size, p.mtime_ns, p.width, p.height, p.format, p.digest, e.contrast, "
            "p.several_frames, coalesce(p.frame, x'') "
            "FROM embeddings e JOIN pictures p ON p.id = e.picture_id WHERE e.set_id = ? AND p.state = 'ok' "
            "ORDER BY e.id",
            (set_id,),
        )
        ids, pictures = array("q"), []
        for id_, path, size, mtime_ns, width, height, kind, *facts in found:
            ids.append(id_)
            if not (type(size) is type(mtime_ns) is type(width) is type(height) is int and type(facts[0]) is bytes):
                raise TypeError(f"of {path!a}, what should be a number or a digest is none")
            shape = width, height, sys.intern(kind)
            pictures.append(Picture(self.root, path_from_column(path), size, mtime_ns, *shape, *facts))
        order = np.array(sorted(range(len(pictures)), key=lambda row: pictures[row].path), dtype=np.int64)
        vectors = Vectors.empty(provenance, len(pictures))
        places = np.argsort(order)  # of the rows as they come
        rows = self.query(
            "SELECT e.id, e.vector FROM embeddings e JOIN pictures p ON p.id = e.picture_id "
            "WHERE e.set_id = ? AND p.state = 'ok' "
            "ORDER BY e.id",
            (set_id,),
        )
        with closing(rows):
            for (id_, vector), row, place in zip(rows, ids, places, strict=True):
                assert id_ == row  # the same rows in the same order: nothing is written in between
                line = vectors.rows[place]
                if len(vector) != line.nbytes:
                    raise DedupError(f"A vector in {self.path} has the wrong length.", "Index again with --all.")
                vectors.rows[place] = from_blob(vector, line)
        return [pictures[row] for row in order], vectors

    # -- health -----------------------------------------------------------------------

    def integrity_problems(self) -> list[str]:
        """What SQLite's integrity check finds; empty when the database is sound."""
        return integrity_problems(self.connection)

    def has_foreign_table(self) -> bool:
        """Whether the file also holds the ``images`` table of the tool this one replaces."""
        return any(self.query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'images'"))


def _provenance(row: tuple[Any, ...]) -> Provenance:
    found = Provenance(*row)
    if [type(value) for value in row] != [str, str, str, int, int, str] or not 0 < found.dim <= MOST_NUMBERS:
        raise TypeError(f"no embedding set is like {row!a}")
    return found


def _save_picture(db: sqlite3.Connection, item: Indexed) -> int:
    path = path_to_column(item.path)
    before = db.execute("SELECT id, digest, state FROM pictures WHERE path = ?", (path,)).fetchone()
    if before is not None and before[2] == "ok" and item.reason and item.digest in (None, before[1]):
        # The same bytes were read before: a limit, or a decoder's bad day, takes no vector away.
        return int(before[0])
    values = (
        item.size,
        item.mtime_ns,
        item.width,
        item.height,
        item.format,
        item.digest,
        item.several_frames,
        item.frame or None,
        "unreadable" if item.reason else "ok",
        item.reason,
        path,
    )
    if before is None:
        cursor = db.execute(
            "INSERT INTO pictures"
            "(size, mtime_ns, width, height, format, digest, several_frames, frame, state, reason, path) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        )
        return int(cursor.lastrowid or 0)
    if before[1] != item.digest or item.reason:
        db.execute("DELETE FROM embeddings WHERE picture_id = ?", (before[0],))
    db.execute(
        "UPDATE pictures SET size = ?, mtime_ns = ?, width = ?, height = ?, format = ?, digest = ?, "
        "several_frames = ?, frame = ?, state = ?, reason = ? WHERE path = ?",
        values,
    )
    return int(before[0])
