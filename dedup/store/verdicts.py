"""What a person decided about sets, remembered by content so that it survives moves and re-indexing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime

from dedup.store.catalogue import Catalogue


def record_not_duplicates(store: Catalogue, digests: Iterable[bytes]) -> None:
    """Remember that the files of one set, given by their digests, are not duplicates of each other."""
    copies = Counter(digests)
    with store.transaction() as db:
        cursor = db.execute(
            "INSERT INTO verdicts(decided_at, verdict) VALUES (?, 'not duplicates')",
            (datetime.now(UTC).isoformat(timespec="seconds"),),
        )
        db.executemany(
            "INSERT INTO verdict_members(verdict_id, digest, copies) VALUES (?, ?, ?)",
            [(cursor.lastrowid, digest, count) for digest, count in copies.items()],
        )


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
