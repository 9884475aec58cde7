"""What a person decided about sets, remembered by content so that it survives moves and re-indexing."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dedup.store.catalogue import Catalogue
from dedup.store.decisions import content_of, now


@dataclass(frozen=True, slots=True)
class Verdict:
    """A set that a person called "not duplicates": each digest with how many files of the set had it."""

    decided_at: str
    copies: Mapping[bytes, int]

    @property
    def content(self) -> bytes:
        """Which set this is about."""
        return content_of(Counter(self.copies).elements())


def record_not_duplicates(store: Catalogue, digests: Iterable[bytes], decided_at: str = "") -> bool:
    """Remember that the files of one set, given by their digests, are not duplicates of each other.

    Whether that is news: what is known already stays as it was.
    """
    with store.transaction() as db:
        return _record(db, Counter(digests), decided_at)


def update_verdicts(
    store: Catalogue, said: Iterable[Iterable[bytes]], taken_back: Iterable[Iterable[bytes]] = ()
) -> int:
    """Remember verdicts on these sets and take those on others back, all at once; how many were taken back."""
    with store.transaction() as db:
        for digests in said:
            _record(db, Counter(digests), "")
        ids = [one for digests in taken_back for one in _ids_of(db, Counter(digests))]
        db.executemany("DELETE FROM verdicts WHERE id = ?", [(one,) for one in ids])
    return len(ids)


def verdicts(store: Catalogue) -> list[Verdict]:
    """Every verdict, the oldest first."""
    when: dict[int, str] = {}
    copies: dict[int, dict[bytes, int]] = defaultdict(dict)
    for number, decided_at, digest, count in store.query(
        "SELECT v.id, v.decided_at, m.digest, m.copies FROM verdicts v JOIN verdict_members m ON m.verdict_id = v.id "
        "ORDER BY v.decided_at, v.id, m.digest"
    ):
        when[number] = decided_at
        copies[number][digest] = count
    return [Verdict(when[number], copies[number]) for number in when]


def _record(db: sqlite3.Connection, copies: Mapping[bytes, int], decided_at: str) -> bool:
    if _ids_of(db, copies):
        return False
    cursor = db.execute(
        "INSERT INTO verdicts(decided_at, verdict) VALUES (?, 'not duplicates')", (decided_at or now(),)
    )
    db.executemany(
        "INSERT INTO verdict_members(verdict_id, digest, copies) VALUES (?, ?, ?)",
        [(cursor.lastrowid, digest, count) for digest, count in copies.items()],
    )
    return True


def _ids_of(db: sqlite3.Connection, copies: Mapping[bytes, int]) -> list[int]:
    """The verdicts on exactly this set."""
    if not copies:
        return []
    having = "SELECT verdict_id FROM verdict_members WHERE digest = ? AND copies = ?"
    candidates = [row[0] for row in db.execute(having, next(iter(copies.items())))]
    members = "SELECT digest, copies FROM verdict_members WHERE verdict_id = ?"
    return [one for one in candidates if dict(db.execute(members, (one,))) == dict(copies)]


class NotDuplicates:
    """The pairs of contents that a person said are not duplicates, over any number of folders."""

    def __init__(self, stores: Iterable[Catalogue]) -> None:
        self._sets: dict[bytes, set[tuple[int, int]]] = defaultdict(set)
        self._kept_copies: set[bytes] = set()
        for number, store in enumerate(stores):
            for verdict, digest, copies in store.query("SELECT verdict_id, digest, copies FROM verdict_members"):
                self._sets[digest].add((number, verdict))
                if copies > 1:
                    self._kept_copies.add(digest)

    def __call__(self, first: bytes, second: bytes) -> bool:
        """Whether two files with these digests were called "not duplicates"."""
        if first == second:
            return first in self._kept_copies
        if first not in self._sets or second not in self._sets:
            return False
        return not self._sets[first].isdisjoint(self._sets[second])
