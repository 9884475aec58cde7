"""What a person decided in a review, set by set, kept until it is carried out, so that a review can be continued.

A set is known by the contents of all its files: a decision holds for whatever files have these contents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Generator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from dedup.store.catalogue import Catalogue
from dedup.store.connection import path_from_column, path_to_column

KEEPER, STAYS, REMOVED = "keeper", "stays", "removed"
ROLES = (KEEPER, STAYS, REMOVED)


@dataclass(frozen=True, slots=True)
class DecidedFile:
    """A file of a set: its content, where it lay (to tell identical files apart), and what becomes of it."""

    digest: bytes
    folder: str
    path: str
    role: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about one set. ``is_seen``: whether a person looked at it, or changed it along with others."""

    decided_at: str
    is_seen: bool
    files: tuple[DecidedFile, ...]

    @property
    def content(self) -> bytes:
        """Which set this is about."""
        return content_of(file.digest for file in self.files)


def content_of(digests: Iterable[bytes]) -> bytes:
    """What identifies a set: the SHA-256 over the digests of all its files, in whatever order they come."""
    return hashlib.sha256(b"".join(sorted(digests))).digest()


def now() -> str:
    """This moment as decisions and verdicts note it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def record_decisions(store: Catalogue, decisions: Iterable[Decision], forgotten: Iterable[bytes] = ()) -> None:
    """Keep decisions in place of earlier ones about the same sets, and forget those about others; all or nothing."""
    with store.transaction() as db:
        db.executemany("DELETE FROM decisions WHERE content = ?", [(content,) for content in forgotten])
        for one in decisions:
            content = one.content
            db.execute("DELETE FROM decisions WHERE content = ?", (content,))
            db.execute("INSERT INTO decisions VALUES (?, ?, ?)", (content, one.decided_at, one.is_seen))
            rows = [
                (content, number, file.digest, path_to_column(file.folder), path_to_column(file.path), file.role)
                for number, file in enumerate(one.files)
            ]
            db.executemany("INSERT INTO decision_files VALUES (?, ?, ?, ?, ?, ?)", rows)


def decisions(store: Catalogue, contents: Collection[bytes] | None = None) -> dict[bytes, Decision]:
    """The decisions about these sets, or about all; one query however many there are."""
    only = ""
    if contents is not None:
        if not contents:
            return {}
        with store.transaction() as db:
            db.execute("CREATE TEMP TABLE IF NOT EXISTS wanted (content BLOB PRIMARY KEY) WITHOUT ROWID")
            db.execute("DELETE FROM wanted")
            db.executemany("INSERT OR IGNORE INTO wanted VALUES (?)", [(content,) for content in contents])
        only = "JOIN wanted w ON w.content = d.content "
    rows = store.query(
        "SELECT d.content, d.decided_at, d.seen, f.digest, f.folder, f.path, f.role FROM decisions d "
        + only
        + "JOIN decision_files f ON f.content = d.content ORDER BY d.content, f.number"
    )
    return dict(_read(rows))


def _read(rows: Iterable[tuple[Any, ...]]) -> Generator[tuple[bytes, Decision], None, None]:
    for (content, decided_at, seen), files in groupby(rows, lambda row: row[:3]):
        decided = tuple(
            DecidedFile(digest, _text(folder), _text(path), role) for *_, digest, folder, path, role in files
        )
        yield content, Decision(decided_at, bool(seen), decided)


def _text(value: str | bytes) -> str:
    # Nearly all are text, and there may be many.
    return value if isinstance(value, str) else path_from_column(value)


def paths_of_digests(store: Catalogue, digests: Iterable[bytes]) -> Generator[tuple[bytes, str], None, None]:
    """(digest, path) of every readable picture with one of these contents."""
    for digest in digests:
        for (path,) in store.query("SELECT path FROM pictures WHERE digest = ? AND state = 'ok'", (digest,)):
            yield digest, path_from_column(path)
