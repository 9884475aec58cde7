"""The table ``images`` of the tool this one replaces: read, noted, never changed.

``images(absolute_path, hash, final_embedding_hash)``: float32 vectors, of the final embedding or of the
last hidden layer in ``hash``, with both kinds the final one in ``final_embedding_hash``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dedup.store.catalogue import Catalogue

TABLE = "images"
COLUMNS = ("hash", "final_embedding_hash")
IMPORTED, DECLINED = "imported", "declined"
BYTES_PER_NUMBER = 4


@dataclass(frozen=True, slots=True)
class ForeignVectors:
    """The vectors of one length in one column of the foreign table, and how many there are."""

    column: str
    dim: int
    rows: int


def foreign_vectors(store: Catalogue) -> list[ForeignVectors]:
    """What a foreign table holds, per column and length, the most first; empty where there is no such table."""
    if not store.has_foreign_table():
        return []
    there = {row[1] for row in store.query(f"PRAGMA table_info({TABLE})")}
    if "absolute_path" not in there:
        return []
    found = []
    for column in COLUMNS:
        if column in there:
            sizes = store.query(
                f"SELECT length({column}), count(*) FROM {TABLE} WHERE typeof({column}) = 'blob' GROUP BY 1"
            )
            found += [
                ForeignVectors(column, size // BYTES_PER_NUMBER, count)
                for size, count in sizes
                if size and size % BYTES_PER_NUMBER == 0
            ]
    return sorted(found, key=lambda one: -one.rows)


def foreign_paths(store: Catalogue, vectors: ForeignVectors) -> Iterator[str]:
    """The absolute paths, as they were written, that have one of these vectors."""
    rows = store.query(
        f"SELECT absolute_path FROM {TABLE} WHERE typeof(absolute_path) = 'text' "
        f"AND typeof({vectors.column}) = 'blob' AND length({vectors.column}) = ? ORDER BY absolute_path",
        (vectors.dim * BYTES_PER_NUMBER,),
    )
    return (row[0] for row in rows)


def foreign_vector(store: Catalogue, vectors: ForeignVectors, path: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """(dim,) float32, the vector of one of ``foreign_paths``."""
    rows = store.query(
        f"SELECT {vectors.column} FROM {TABLE} WHERE absolute_path = ? AND typeof({vectors.column}) = 'blob' "
        f"AND length({vectors.column}) = ? LIMIT 1",
        (path, vectors.dim * BYTES_PER_NUMBER),
    )
    ((blob,),) = list(rows)
    return np.frombuffer(blob, dtype="<f4").astype(np.float32)


def written_ns(store: Catalogue) -> int | None:
    """When the foreign tool last wrote its database, as far as that was noted on first opening it."""
    rows = list(store.query("SELECT written_ns FROM foreign_tables WHERE name = ?", (TABLE,)))
    return rows[0][0] if rows else None


def answered(store: Catalogue, answers: Sequence[str] = (IMPORTED, DECLINED)) -> bool:
    """Whether a person has said one of these to importing the table as it stands."""
    rows = list(store.query("SELECT answer, rows_then FROM foreign_tables WHERE name = ?", (TABLE,)))
    return bool(rows) and rows[0][0] in answers and rows[0][1] == _count(store)


def note_answer(store: Catalogue, answer: str) -> None:
    """Remember what a person said to importing the table as it stands: ``imported`` or ``declined``."""
    count = _count(store)
    with store.transaction() as db:
        db.execute(
            "INSERT INTO foreign_tables(name, answer, rows_then) VALUES (?, ?, ?) "
            "ON CONFLICT(name) DO UPDATE SET answer = excluded.answer, rows_then = excluded.rows_then",
            (TABLE, answer, count),
        )


def _count(store: Catalogue) -> int:
    return int(next(store.query(f"SELECT count(*) FROM {TABLE}"))[0])
