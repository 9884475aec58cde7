"""Gather what a find run compares: one embedding set over all folders, each file on the disk once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dedup.encoders import REGISTRY, spec
from dedup.errors import DedupError, command
from dedup.progress import Progress, Report, Skipped
from dedup.provenance import Provenance
from dedup.scan import FileFacts, list_pictures
from dedup.store import Catalogue, Picture
from dedup.vectors import Vectors

# Below this many multiplications the start of a GPU costs more than it saves.
WORTH_A_GPU = 1e13
NOT_INDEXED = "new or changed since it was indexed"
NOT_INDEXED_WITH = "not indexed with "
# Of unit vectors at a right angle.
WIDEST_EUCLIDEAN = 2**0.5
NOTHING = Provenance("none", "", "", 0, 1)


@dataclass(frozen=True, slots=True)
class Gathered:
    """Pictures that are on the disk as they were indexed; vector i of ``vectors`` is picture i's.

    ``folders`` holds the number of each picture's folder, ``skipped`` every other picture file.
    """

    pictures: list[Picture]
    vectors: Vectors
    folders: list[int]
    skipped: list[Skipped]


def gather(stores: Sequence[Catalogue], provenance: Provenance, report: Report) -> Gathered:
    """The pictures of all folders with their vectors of one set.

    The same file seen twice (nested folders, links) takes part once, in the innermost folder.
    """
    pictures: list[Picture] = []
    vectors: list[Vectors] = []
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
    return Gathered(pictures, Vectors.concatenated(vectors), folders, skipped)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which embedding set to compare; "" and None mean any."""

    encoder: str = ""
    layer: str = ""
    checkpoint: str = ""
    provenance: Provenance | None = None

    def admits(self, provenance: Provenance) -> bool:
        """Whether a set may be the one."""
        return (
            self.encoder in ("", provenance.encoder)
            and self.layer in ("", provenance.layer)
            and self.checkpoint in ("", provenance.checkpoint)
            and self.provenance in (None, provenance)
        )


def common_sets(stores: Sequence[Catalogue], wanted: Wanted) -> list[Provenance]:
    """The sets, of the same provenance in every folder, that can be compared: the largest of the first folder first.

    Empty where there is no picture at all; raises DedupError when a folder has none of the
    wanted sets, or the folders have none in common.
    """
    offered = []
    for store in stores:
        rows = [row.provenance for row in store.sets() if row.pictures and wanted.admits(row.provenance)]
        if rows:
            offered.append(rows)
        elif store.count("ok") or (not store.known() and list_pictures(store.root).files):
            raise _not_indexed(store.root, wanted)
    if not offered:
        return []
    common = [provenance for provenance in offered[0] if all(provenance in rows for rows in offered[1:])]
    if not common:
        shared = set.intersection(*({one.encoder for one in rows} for rows in offered))
        what = "weights, embeddings or parameters" if shared else "encoders"
        # What the first folder has is what the others lack.
        name = sorted(shared)[0] if shared else offered[0][0].encoder
        folders = [str(store.root) for store in stores]
        raise DedupError(
            f"The folders were indexed with different {what}, whose vectors cannot be compared.",
            "Index them the same way: " + command("index", *folders, "--encoder", name),
        )
    return common


def lowest_cosine(min_cosine: float | None, max_euclidean: float | None) -> float | None:
    """The similarity from which both hold, None where neither was given; raises DedupError for what cannot hold.

    Of two vectors of length 1, the Euclidean distance d and the cosine c are tied: d * d = 2 - 2 * c.
    """
    if min_cosine is not None and not 0 <= min_cosine <= 1:
        raise DedupError(f"A cosine must lie between 0 and 1, not {min_cosine:g}.", "Higher is stricter: try 0.9.")
    if max_euclidean is not None and not 0 <= max_euclidean <= WIDEST_EUCLIDEAN:
        raise DedupError(
            f"A Euclidean distance must lie between 0 and 1.4142, not {max_euclidean:g}.",
            "Lower is stricter: try 0.5.",
        )
    limits = [] if min_cosine is None else [min_cosine]
    if max_euclidean is not None:
        limits.append(max(0.0, 1.0 - max_euclidean * max_euclidean / 2.0))
    return max(limits, default=None)


def threshold_for(wanted: float | None, provenance: Provenance, lowest: float | None = None) -> float:
    """The threshold in the metric's own unit: the one asked for, else the encoder's own.

    With ``lowest`` (of ``lowest_cosine``) no lower than that, whatever the encoder's own is.
    Raises DedupError outside 0 to 1; for fingerprints where it is no whole number of their bits.
    """
    if lowest is not None:
        if provenance.is_bits:
            raise DedupError(
                f"{provenance.encoder} is a fingerprint: its pictures differ in bits, and have no cosine.",
                "Use --threshold BITS, or another encoder.",
            )
        wanted = lowest if wanted is None else max(wanted, lowest)
    if wanted is None:
        return 1.0 if provenance == NOTHING else spec(provenance.encoder).threshold_for(provenance.dim)
    most = provenance.dim if provenance.is_bits else 1
    if 0 <= wanted <= most and (not provenance.is_bits or wanted == int(wanted)):
        return wanted
    if provenance.is_bits:
        raise DedupError(
            f"The threshold of {provenance.encoder} is a whole number of bits from 0 to {most}, not {wanted:g}.",
            "Fewer bits are stricter; without --threshold the encoder's own is used.",
        )
    raise DedupError(f"A threshold must lie between 0 and 1, not {wanted:g}.", "Try 0.96, or for candidates 0.6.")


def lowest_candidate(wanted: float | None, provenance: Provenance) -> float:
    """The similarity from which pairs are verified: from the one asked for in the metric's unit, else the encoder's."""
    if provenance == NOTHING:
        return 1.0
    if wanted is None:
        rows = [row for row in REGISTRY if row.name == provenance.encoder]
        wanted = rows[0].candidates_for(provenance.dim) if rows else 0.9
    return as_similarity(threshold_for(wanted, provenance), provenance)


def marks(provenance: Provenance) -> bool:
    """Whether matches in a set may be proposed for removal: not of weak encoders, nor of shortened fingerprints.

    Those of an encoder that is not in the registry may.
    """
    rows = [row for row in REGISTRY if row.name == provenance.encoder]
    return all(row.marks and not (provenance.is_bits and provenance.dim < row.dim) for row in rows)


def as_similarity(threshold: float, provenance: Provenance) -> float:
    """A threshold in the metric's own unit as the similarity the matcher compares with."""
    return 1.0 - 2.0 * int(threshold) / provenance.dim if provenance.is_bits else threshold


def matching_device(count: int, dim: int) -> str:
    """Where to match ``count`` vectors: a CUDA device when there is one and the work is worth it."""
    if float(count) * count * dim < WORTH_A_GPU:
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _current_rows(
    store: Catalogue, provenance: Provenance, seen: set[tuple[int, int]]
) -> tuple[list[Picture], Vectors, list[Skipped]]:
    """(pictures, their vectors, files left out) of one folder; files in ``seen`` are not its own."""
    rows, vectors = store.load(provenance)
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
    return [rows[line] for line in lines], vectors.take(lines), skipped


def _why_skipped(facts: FileFacts, current: bool, unreadable: dict[str, str], provenance: Provenance) -> str:
    if not current:
        return NOT_INDEXED
    return unreadable.get(facts.path, NOT_INDEXED_WITH + provenance.encoder)


def _not_indexed(root: Path, wanted: Wanted) -> DedupError:
    made_by = " ".join(filter(None, (wanted.encoder, wanted.layer, wanted.checkpoint)))
    from_weights = wanted.checkpoint.startswith("sha256:")
    options = (
        ("--encoder", wanted.encoder),
        ("--kind", wanted.layer if wanted.encoder else ""),
        ("--weights" if from_weights else "--params", "PATH" if from_weights else wanted.checkpoint),
    )
    how = [word for option in options if option[1] for word in option]
    what = f" with {made_by}" if made_by else ""
    return DedupError(f"{root} has not been indexed{what}.", "Run: " + command("index", str(root), *how))
