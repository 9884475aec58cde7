"""Decisions of reviews and "not duplicates" verdicts, in the databases of every folder they are about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dedup.store import (
    Catalogue,
    Decision,
    Picture,
    content_of,
    database_path,
    decisions,
    record_decisions,
    update_verdicts,
)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is to be kept of one set under review: a verdict, a decision, or with neither nothing any more."""

    pictures: Sequence[Picture]
    decision: Decision | None = None
    not_duplicates: bool = False

    @property
    def roots(self) -> set[Path]:
        """The folders its pictures lie in."""
        return {picture.root for picture in self.pictures}

    @property
    def digests(self) -> list[bytes]:
        """Those of its files."""
        return [picture.digest for picture in self.pictures]


def recall(folders: Sequence[Path], sets: Iterable[Sequence[Picture]]) -> dict[bytes, Decision]:
    """The latest decision about each of these sets that was decided before, by the set's content."""
    wanted = {content_of(picture.digest for picture in pictures) for pictures in sets}
    found: dict[bytes, Decision] = {}
    for root in folders:
        if not database_path(root).exists():
            continue
        with Catalogue(root) as store:
            for content, one in decisions(store, wanted).items():
                if content not in found or found[content].decided_at < one.decided_at:
                    found[content] = one
    return found


def keep_outlooks(outlooks: Sequence[Outlook]) -> None:
    """Write down what was decided about these sets in the database of every folder involved."""
    mine: dict[Path, list[Outlook]] = defaultdict(list)
    for one in outlooks:
        for root in one.roots:
            mine[root].append(one)
    for root, rows in sorted(mine.items()):
        with Catalogue(root, create=True) as store:
            kept = [one.decision for one in rows if one.decision is not None]
            record_decisions(store, kept, [content_of(one.digests) for one in rows if one.decision is None])
            update_verdicts(
                store,
                [one.digests for one in rows if one.not_duplicates],
                [one.digests for one in rows if not one.not_duplicates],
            )


def carried_out(outlooks: Iterable[Outlook]) -> None:
    """After a removal: sets of which files are gone are done with; what a person let stay is not proposed again.

    A set that a removal is undone for comes up as if it had never been reviewed.
    """
    changed: dict[Path, tuple[list[Decision], list[bytes]]] = defaultdict(lambda: ([], []))
    for one in outlooks:
        left = [number for number, picture in enumerate(one.pictures) if picture.full_path.exists()]
        if len(left) == len(one.pictures) or not all(root.is_dir() for root in one.roots):
            continue  # nothing went, or a drive did
        rest = _what_is_left(one.decision, left)
        for root in one.roots:
            decided, forgotten = changed[root]
            forgotten.append(content_of(one.digests))
            decided += [rest] if rest is not None and root in {one.pictures[number].root for number in left} else []
    for root, (decided, forgotten) in sorted(changed.items()):
        if database_path(root).exists():
            with Catalogue(root) as store:
                record_decisions(store, decided, forgotten)


def _what_is_left(decision: Decision | None, left: Sequence[int]) -> Decision | None:
    """The decision about the files that are left, of which there must be several."""
    if decision is None or not decision.is_seen or len(left) < 2:
        return None
    return Decision(decision.decided_at, True, tuple(decision.files[number] for number in left))
