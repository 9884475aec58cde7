"""What was ever decided about the pictures of some folders: listed with where they are now, and taken back."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dedup.scan import real_folder
from dedup.store import (
    Catalogue,
    Decision,
    Verdict,
    decisions,
    paths_of_digests,
    record_decisions,
    update_verdicts,
    verdicts,
)

NOT_DUPLICATES: Literal["not duplicates"] = "not duplicates"
REVIEWED: Literal["reviewed"] = "reviewed"


@dataclass(slots=True)
class Decided:
    """A set that was called not duplicates, or decided in a review; in which folders' databases that is kept.

    ``files``: of each file of the set its digest and what becomes of it ("" after a verdict: all stay).
    ``found``: the absolute paths where each content lies now; none for one that is no longer here.
    """

    what: Verdict | Decision
    folders: list[Path] = field(default_factory=list)
    found: dict[bytes, list[Path]] = field(default_factory=dict)

    @property
    def kind(self) -> Literal["not duplicates", "reviewed"]:
        """Which of the two it is."""
        return NOT_DUPLICATES if isinstance(self.what, Verdict) else REVIEWED

    @property
    def places(self) -> list[Path | None]:
        """Where each file of ``files`` lay when it was decided; None where that was not noted."""
        if isinstance(self.what, Verdict):
            return [None] * len(self.files)
        return [Path(file.folder) / file.path for file in self.what.files]

    @property
    def files(self) -> list[tuple[bytes, str]]:
        """(digest, role) of each file of the set."""
        if isinstance(self.what, Verdict):
            return [(digest, "") for digest in Counter(self.what.copies).elements()]
        return [(file.digest, file.role) for file in self.what.files]


def list_decided(folders: Sequence[str | Path]) -> list[Decided]:
    """Everything decided in these folders, verdicts first and then review decisions, the oldest first.

    What several of the folders keep is one row. Raises DedupError for a folder without a database.
    """
    rows: dict[tuple[str, bytes], Decided] = {}
    with ExitStack() as stack:
        stores = [stack.enter_context(Catalogue(root)) for root in _roots(folders)]
        for store in stores:
            whats: list[Verdict | Decision] = [*verdicts(store), *decisions(store).values()]
            for what in whats:
                row = Decided(what)
                known = rows.setdefault((row.kind, what.content), row)
                if known.what.decided_at < what.decided_at:
                    known.what = what
                if store.root not in known.folders:
                    known.folders.append(store.root)
        found: dict[bytes, list[Path]] = defaultdict(list)
        digests = {digest for row in rows.values() for digest, _ in row.files}
        for store in stores:
            for digest, path in paths_of_digests(store, digests):
                found[digest].append(store.root / path)
    for row in rows.values():
        row.found = {digest: sorted(set(found.get(digest, []))) for digest, _ in row.files}
    return sorted(rows.values(), key=lambda row: (row.kind, row.what.decided_at, row.what.content))


def take_back(rows: Iterable[Decided]) -> None:
    """Forget what was decided, in every folder that keeps it: these sets come up again as they are proposed."""
    mine: dict[Path, list[Decided]] = defaultdict(list)
    for row in rows:
        for root in row.folders:
            mine[root].append(row)
    for root, those in mine.items():
        with Catalogue(root) as store:
            update_verdicts(store, [], _digests(those, NOT_DUPLICATES))
            record_decisions(store, [], [row.what.content for row in those if row.kind == REVIEWED])


def _digests(rows: Iterable[Decided], kind: str) -> Iterator[list[bytes]]:
    return ([digest for digest, _ in row.files] for row in rows if row.kind == kind)


def _roots(folders: Sequence[str | Path]) -> list[Path]:
    return list(dict.fromkeys(real_folder(folder) for folder in folders))
