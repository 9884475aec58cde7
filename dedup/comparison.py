"""Gather what a find run compares: one embedding set over all folders, each file on the disk once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dedup.encoders import spec
from dedup.errors import DedupError, command
from dedup.match import Rows
from dedup.progress import Progress, Report, Skipped
from dedup.provenance import Provenance
from dedup.scan import FileFacts, list_pictures
from dedup.store import Catalogue, Picture

# Below this many multiplications the start of a GPU costs more than it saves.
WORTH_A_GPU = 1e13
NOT_INDEXED = "new or changed since it was indexed"
NOTHING = Provenance("none", "", "", 0, 1)


@dataclass(frozen=True, slots=True)
class Gathered:
    """Pictures that are on the disk as they were indexed; row i of ``vectors``, (n, dim), is picture i's.

    ``folders`` holds the number of each picture's folder, ``skipped`` every other picture file.
    """

    pictures: list[Picture]
    vectors: Rows
    folders: list[int]
    skipped: list[Skipped]


def gather(stores: Sequence[Catalogue], provenance: Provenance, report: Report) -> Gathered:
    """The pictures of all folders with their vectors of one set.

    The same file seen twice (nested folders, links) takes part once, in the innermost folder.
    """
    pictures: list[Picture] = []
    vectors: list[Rows] = []
    folders: list[int] = []
    skipped: list[Skipped] = []
    seen: set[tuple[int, int]] = set()
    innermost_first = sorted(range(len(stores)), key=lambda number: -len(stores[number].root.parts))
    for done, number in enumerate(innermost_first):
        report(Progress("folders read", done, len(stores)))
        rows, matrix, left_out = _current_rows(stores[number], provenance, seen)
        pictures += rows
        vectors.append(matrix)
        folders += [number] * len(rows)
        skipped += left_out
    report(Progress("folders read", len(stores), len(stores)))
    return Gathered(pictures, np.concatenate(vectors), folders, skipped)


def common_set(stores: Sequence[Catalogue], encoder: str, kind: str) -> Provenance:
    """The one set, of the same provenance in every folder, to compare: the largest of the first folder.

    ``encoder`` and ``kind`` narrow the choice; "" means any. Raises DedupError when there is none.
    """
    offered = []
    for store in stores:
        rows = [
            row.provenance
            for row in store.sets()
            if row.pictures and encoder in ("", row.provenance.encoder) and kind in ("", row.provenance.layer)
        ]
        if rows:
            offered.append(rows)
        elif store.count("ok") or (not store.known() and list_pictures(store.root).files):
            raise _not_indexed(store.root, encoder)
    if not offered:
        return NOTHING
    for provenance in offered[0]:
        if all(provenance in rows for rows in offered[1:]):
            return provenance
    raise DedupError(
        "The folders were indexed with different encoders, whose vectors cannot be compared.",
        "Index them with the same one: " + command("index", "FOLDER", "--encoder", "NAME"),
    )


def threshold_for(wanted: float | None, provenance: Provenance) -> float:
    """The threshold asked for, else the encoder's own; raises DedupError outside 0 to 1."""
    if wanted is None:
        return 1.0 if provenance == NOTHING else spec(provenance.encoder).threshold
    if not 0.0 <= wanted <= 1.0:
        raise DedupError(f"The threshold must lie between 0 and 1, not {wanted:g}.", "Try 0.96.")
    return wanted


def matching_device(count: int, dim: int) -> str:
    """Where to match ``count`` vectors: a CUDA device when there is one and the work is worth it."""
    if float(count) * count * dim < WORTH_A_GPU:
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _current_rows(
    store: Catalogue, provenance: Provenance, seen: set[tuple[int, int]]
) -> tuple[list[Picture], Rows, list[Skipped]]:
    """(pictures, their vectors, files left out) of one folder; files in ``seen`` are not its own."""
    wanted = [row for row in store.sets() if row.provenance == provenance]
    empty = np.empty((0, provenance.dim), dtype=np.float16)
    rows, matrix = store.load(wanted[0].id, provenance.dim) if wanted else ([], empty)
    line_of = {row.path: line for line, row in enumerate(rows)}
    known, unreadable = store.known(), store.unreadable()
    listing = list_pictures(store.root)
    lines: list[int] = []
    skipped = list(listing.refused)
    for facts in listing.files:
        if facts.identity in seen:
            continue
        seen.add(facts.identity)
        current = known.get(facts.path) == (facts.size, facts.mtime_ns)
        line = line_of.get(facts.path)
        if current and line is not None:
            lines.append(line)
        else:
            reason = _why_skipped(facts, current, unreadable, provenance)
            skipped.append(Skipped(str(store.root / facts.path), reason))
    return [rows[line] for line in lines], matrix[lines], skipped


def _why_skipped(facts: FileFacts, current: bool, unreadable: dict[str, str], provenance: Provenance) -> str:
    if not current:
        return NOT_INDEXED
    return unreadable.get(facts.path, f"not indexed with {provenance.encoder}")


def _not_indexed(root: Path, encoder: str) -> DedupError:
    what, how = (f" with {encoder}", ("--encoder", encoder)) if encoder else ("", ())
    return DedupError(f"{root} has not been indexed{what}.", "Run: " + command("index", str(root), *how))
