"""What verification concluded about pairs of pictures, kept by their digests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from dedup.store.catalogue import Catalogue

Pair = tuple[bytes, bytes]


class Verifications:
    """The results in the databases of several folders, opened only while asked.

    A pair is two digests, the smaller first.
    """

    def __init__(self, roots: Sequence[Path], version: int) -> None:
        self._roots = list(dict.fromkeys(roots))
        self._version = version

    def get(self, pairs: Iterable[Pair]) -> dict[Pair, str]:
        """Those of the pairs that were verified by this version, and the results."""
        wanted, found = list(pairs), {}
        query = "SELECT result FROM verifications WHERE first = ? AND second = ? AND version = ?"
        for root in self._roots:
            with Catalogue(root) as store:
                for pair in wanted:
                    for (result,) in store.query(query, (*pair, self._version)):
                        found[pair] = result
        return found

    def put(self, results: Iterable[tuple[Pair, str, Iterable[Path]]]) -> None:
        """Keep results in the databases of the folders named: (pair, result, folders)."""
        rows: dict[Path, list[tuple[bytes, bytes, int, str]]] = {}
        for pair, result, roots in results:
            for root in set(roots):
                rows.setdefault(root, []).append((*pair, self._version, result))
        for root, mine in rows.items():
            with Catalogue(root) as store, store.transaction() as db:
                db.executemany("INSERT OR REPLACE INTO verifications VALUES (?, ?, ?, ?)", mine)


def forget_verifications(store: Catalogue, version: int) -> int:
    """Drop results of other versions of the verifier, and those about pictures gone from this database; how many.

    A pair may be of two folders, and then only one of its digests is known here: a result goes when neither is, be it
    as a picture (the trash included: what lies there may come back) or in the journal of what was removed.
    """
    here = (
        "(SELECT digest FROM pictures WHERE digest IS NOT NULL "
        "UNION SELECT digest FROM journal WHERE state NOT IN ('purged', 'lost'))"
    )
    gone = f"first NOT IN {here} AND second NOT IN {here}"
    with store.transaction() as db:
        return db.execute(f"DELETE FROM verifications WHERE version != ? OR ({gone})", (version,)).rowcount
