"""Index, find, plan, remove, undo as plain functions: all that the front ends call.

They take values and a report, return values and raise DedupError; they never print, ask or
exit. Folders are given in any spelling and resolved here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dedup import filenames, hasher, scan, trash
from dedup.encoders import Encoder, EncoderSpec, LoadOptions, spec
from dedup.errors import DedupError
from dedup.keep import Group, KeepRule, Match, make_groups
from dedup.neighbours import Neighbours
from dedup.progress import Notice, Progress, Report, Skipped
from dedup.scan import Listing, real_folder
from dedup.settings import Settings
from dedup.store import (
    Catalogue,
    NotDuplicates,
    Picture,
    Provenance,
    database_path,
    folder_lock,
    record_not_duplicates,
)
from dedup.trash import Outcome, Plan, Run

# Below this many multiplications the start of the GPU costs more than it saves.
WORTH_A_GPU = 1e13
NOT_INDEXED = "new or changed since it was indexed"


@dataclass(frozen=True, slots=True)
class IndexResult:
    """What one index run did to a folder's database."""

    encoder: str
    pictures: int
    encoded: int
    moved: int
    unreadable: dict[str, str]
    newly_unreadable: int
    gone: int
    links: int
    refused: list[Skipped]
    seconds: float


@dataclass(slots=True)
class Found:
    """The groups of a find run and what the reviewers need to know about them."""

    encoder: str
    threshold: float
    folders: list[Path]
    pictures: int
    skipped: list[Skipped]
    groups: list[Group]
    rule: KeepRule
    relation: Callable[[Picture, Picture], Match | None]
    notices: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FindOptions:
    """How to find: threshold 0 is the encoder's own; ``within`` also pairs pictures of one folder."""

    encoder: str = ""
    kind: str = ""
    threshold: float | None = None
    within: bool = False
    rule: KeepRule = field(default_factory=KeepRule)


@dataclass(frozen=True, slots=True)
class Health:
    """What clean/verify found in a folder's database, before anything is changed."""

    pictures: int
    ghosts: list[str]
    changed: list[str]
    new: int
    unreadable: dict[str, str]
    in_trash: int
    problems: list[str]
    files_on_disk: int


def load_encoder(row: EncoderSpec, settings: Settings, report: Report, kind: str = "") -> Encoder:
    """The encoder with its weights; says that loading takes a moment."""
    report(Notice(f"Loading PyTorch and {row.title} ..."))
    weights = Path(settings.weights).expanduser() if settings.weights else None
    if kind and kind not in row.kinds:
        raise DedupError(f"{row.name} has no embedding {kind}.", f"Choose one of: {', '.join(row.kinds)}.")
    return row.load(LoadOptions(kind=row.layer(kind), weights=weights))


def index(
    folder: str | Path,
    settings: Settings,
    report: Report,
    *,
    again: bool = False,
    encoder: Encoder | None = None,
) -> IndexResult:
    """Encode the new and changed pictures of a folder (all of them with ``again``) into its database.

    Weights are loaded only when there is something to encode. Stopping at any moment loses
    at most the batch in flight; the next run goes on from there.
    """
    root = real_folder(folder)
    row = spec(settings.encoder) if encoder is None else None
    name, layer = (row.name, row.layer(settings.kind)) if row else _name_and_layer(encoder)
    with Catalogue(root, create=True) as store, folder_lock(root):
        trash.settle(store)
        listing = scan.list_pictures(root)
        before = scan.compare(listing, store.known())
        changes = hasher.recognise_moved(store, before)
        todo = listing.files if again else _without_vector(store, changes, name, layer, settings)
        summary = hasher.HashSummary(0, 0, 0.0)
        if todo:
            ready = encoder or load_encoder(spec(settings.encoder), settings, report, settings.kind)
            options = hasher.HashOptions(
                settings.batch_size or (row.batch_size if row else 32), settings.num_workers, settings.max_megapixels
            )
            summary = hasher.hash_pictures(store, todo, ready, options, report)
        return IndexResult(
            name,
            store.count("ok"),
            summary.encoded,
            len(before.new) - len(changes.new),
            store.unreadable(),
            summary.unreadable,
            len(changes.gone),
            listing.links,
            listing.refused,
            summary.seconds,
        )


def find(folders: Sequence[str | Path], options: FindOptions, report: Report) -> Found:
    """The groups of duplicates within one folder, or between several.

    Only pictures that are on the disk as they were indexed take part; the others are listed
    as skipped. Raises DedupError when a folder has not been indexed, or not with this encoder.
    """
    roots = _distinct(folders)
    # One folder named twice is still a question about pairs between folders: there are none.
    within = options.within or len(folders) == 1
    with ExitStack() as stack:
        stores = [stack.enter_context(Catalogue(root)) for root in roots]
        provenance = _common_set(stores, options)
        loaded = _load_current(stores, provenance, report)
        dismissed = NotDuplicates(stores)
    threshold = _threshold(options, provenance)
    pictures, folder_numbers = loaded.pictures, loaded.folders
    device = _matching_device(len(pictures), provenance.dim)
    neighbours = Neighbours(
        pictures,
        loaded.vectors,
        folder_numbers,
        threshold,
        within=within,
        dismissed=dismissed,
        device=device,
        report=report,
    )
    groups = make_groups(pictures, neighbours.candidates(), neighbours.matches_of, options.rule)
    return Found(
        provenance.encoder,
        threshold,
        roots,
        len(pictures),
        loaded.skipped,
        groups,
        options.rule,
        _relation_among(groups, pictures, neighbours),
    )


def find_by_name(folders: Sequence[str | Path], settings: Settings, report: Report) -> Found:
    """The copies that their names suggest and their contents confirm; needs no index."""
    roots = _distinct(folders)
    groups: list[Group] = []
    count = 0
    for root in roots:
        listing = scan.list_pictures(root)
        count += len(listing.files)
        groups += filenames.find_copies(listing, settings.max_megapixels, report)
    relations = {
        (one, two): Match(0, 1.0, member.tier)
        for group in groups
        for member in group.others
        for one in group.pictures
        for two in group.pictures
    }
    return Found("file names", 1.0, roots, count, [], groups, KeepRule(), lambda one, two: relations.get((one, two)))


def plan_marked(found: Found) -> Plan:
    """The plan that removes every marked picture of a find run as it stands."""
    return trash.make_plan(
        found.encoder,
        found.threshold,
        found.folders,
        (
            (member.picture, group.keeper, member.similarity, member.tier)
            for group in found.groups
            for member in group.others
            if member.marked
        ),
    )


def remember_not_duplicates(sets: Iterable[Sequence[Picture]]) -> None:
    """Record sets a person called "not duplicates", by content, in every folder involved."""
    for pictures in sets:
        for root in sorted({picture.root for picture in pictures}):
            with Catalogue(root, create=True) as store:
                record_not_duplicates(store, [picture.digest for picture in pictures])


def remove(plan: Plan, report: Report) -> Outcome:
    """Carry out a plan; each file and its keeper are checked at the moment of removal."""
    return trash.execute(plan, lambda folder: Catalogue(folder, create=True), report)


def dry_run(plan: Plan, report: Report) -> Outcome:
    """What ``remove`` would do now; changes nothing."""
    return trash.inspect(plan, report)


def runs(folder: str | Path) -> list[Run]:
    """The removal runs in a folder's trash, newest first."""
    with Catalogue(real_folder(folder), create=True) as store:
        return trash.runs_in_trash(store)


def undo(folder: str | Path, run_id: str | None, report: Report) -> Outcome:
    """Bring back a run of a folder (the latest by default)."""
    with Catalogue(real_folder(folder), create=True) as store:
        return trash.undo(store, run_id, report)


def purge(folder: str | Path, run_id: str | None, report: Report) -> Outcome:
    """Delete a run (or everything) from a folder's trash for good."""
    with Catalogue(real_folder(folder), create=True) as store:
        return trash.purge(store, run_id, report)


def verify(folder: str | Path) -> Health:
    """What is wrong between a folder and its database; changes nothing but unsettled journal rows."""
    root = real_folder(folder)
    with Catalogue(root) as store, folder_lock(root):
        problems = store.integrity_problems()
        trash.settle(store)
        listing = scan.list_pictures(root)
        changes = scan.compare(listing, store.known())
        return Health(
            store.count("ok"),
            changes.gone,
            [found.path for found in changes.changed],
            len(changes.new),
            store.unreadable(),
            store.count("trash"),
            problems,
            len(listing.files),
        )


def forget_ghosts(folder: str | Path) -> int:
    """Drop the rows whose files are gone; how many there were. Moved files keep their rows."""
    root = real_folder(folder)
    with Catalogue(root) as store, folder_lock(root):
        changes = scan.compare(scan.list_pictures(root), store.known())
        gone = hasher.recognise_moved(store, changes).gone
        store.forget(gone)
        return len(gone)


def sets_of(folder: str | Path) -> list[tuple[Provenance, int]]:
    """The embedding sets of a folder's database and how many pictures each covers."""
    with Catalogue(real_folder(folder)) as store:
        return [(row.provenance, row.pictures) for row in store.sets()]


@dataclass(slots=True)
class _Loaded:
    pictures: list[Picture]
    vectors: np.ndarray
    folders: list[int]
    skipped: list[Skipped]


def _load_current(stores: Sequence[Catalogue], provenance: Provenance, report: Report) -> _Loaded:
    """Pictures that are on the disk as indexed, each file once, with its most specific folder."""
    pictures: list[Picture] = []
    vectors = []
    folders: list[int] = []
    skipped: list[Skipped] = []
    seen: set[tuple[int, int]] = set()
    # The deepest folder first: a file in nested folders belongs to the inner one.
    for number in sorted(range(len(stores)), key=lambda n: -len(stores[n].root.parts)):
        store = stores[number]
        report(Progress("folders read", number, len(stores)))
        listing = scan.list_pictures(store.root)
        wanted = [row for row in store.sets() if row.provenance == provenance]
        rows, matrix = store.load(wanted[0].id, provenance.dim) if wanted else ([], np.empty((0, provenance.dim)))
        known = {row.path: line for line, row in enumerate(rows)}
        unreadable = store.unreadable()
        lines = []
        for facts in listing.files:
            if facts.identity in seen:
                continue
            seen.add(facts.identity)
            line = known.get(facts.path)
            if line is not None and (rows[line].size, rows[line].mtime_ns) == (facts.size, facts.mtime_ns):
                lines.append(line)
            else:
                skipped.append(Skipped(str(store.root / facts.path), unreadable.get(facts.path, NOT_INDEXED)))
        skipped += listing.refused
        pictures += [rows[line] for line in lines]
        vectors.append(matrix[lines])
        folders += [number] * len(lines)
    report(Progress("folders read", len(stores), len(stores)))
    return _Loaded(pictures, np.concatenate(vectors), folders, skipped)


def _without_vector(
    store: Catalogue, changes: scan.Changes, encoder: str, layer: str, settings: Settings
) -> list[scan.FileFacts]:
    """New and changed files, and unchanged readable ones that have no vector in this encoder's set yet."""
    sets = [row.id for row in store.sets() if (row.provenance.encoder, row.provenance.layer) == (encoder, layer)]
    covered = store.embedded(sets[0]) if sets else set()
    unreadable = store.unreadable()
    missing = [found for found in changes.unchanged if found.path not in covered and found.path not in unreadable]
    return sorted([*changes.new, *changes.changed, *missing])


def _common_set(stores: Sequence[Catalogue], options: FindOptions) -> Provenance:
    """The one embedding set, with the same provenance in every folder, that a find compares."""
    offered = []
    for store in stores:
        rows = [
            row.provenance
            for row in store.sets()
            if row.pictures
            and options.encoder in ("", row.provenance.encoder)
            and options.kind in ("", row.provenance.layer)
        ]
        if not rows and not options.encoder and not store.count("ok"):
            continue  # an empty folder agrees with every set
        if not rows:
            what, how = (f" with {options.encoder}", f" --encoder {options.encoder}") if options.encoder else ("", "")
            raise DedupError(
                f"{store.root} has not been indexed{what}.", f'Run: python detector.py index "{store.root}"{how}'
            )
        offered.append(rows)
    if not offered:
        return Provenance(options.encoder or "none", "", "", 0, 1)
    for provenance in offered[0]:
        if all(provenance in rows for rows in offered[1:]):
            return provenance
    raise DedupError(
        "The folders were indexed with different encoders, whose vectors cannot be compared.",
        "Index them with the same one: python detector.py index FOLDER --encoder NAME",
    )


def _threshold(options: FindOptions, provenance: Provenance) -> float:
    if options.threshold is not None:
        if not 0.0 <= options.threshold <= 1.0:
            raise DedupError(f"The threshold must lie between 0 and 1, not {options.threshold:g}.", "Try 0.96.")
        return options.threshold
    return spec(provenance.encoder).threshold if provenance.encoder != "none" else 1.0


def _relation_among(
    groups: Sequence[Group], pictures: Sequence[Picture], neighbours: Neighbours
) -> Callable[[Picture, Picture], Match | None]:
    wanted = {picture for group in groups for picture in group.pictures}
    numbers = {picture: number for number, picture in enumerate(pictures) if picture in wanted}

    def relation(first: Picture, second: Picture) -> Match | None:
        return neighbours.relation(numbers[first], numbers[second])

    return relation


def _distinct(folders: Sequence[str | Path]) -> list[Path]:
    """The folders resolved, each once, in the order given."""
    if not folders:
        raise DedupError("No folder was given.", "Name at least one folder.")
    return list(dict.fromkeys(real_folder(folder) for folder in folders))


def _matching_device(count: int, dim: int) -> str:
    if float(count) * count * dim < WORTH_A_GPU:
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _name_and_layer(encoder: Encoder | None) -> tuple[str, str]:
    assert encoder is not None
    return encoder.provenance.encoder, encoder.provenance.layer


def listing_of(folder: str | Path) -> Listing:
    """The picture files of a folder as they are on the disk."""
    return scan.list_pictures(real_folder(folder))


def is_indexed(folder: str | Path) -> bool:
    """Whether the folder's database holds embeddings, or there is no picture to embed."""
    root = real_folder(folder)
    if not database_path(root).exists():
        return False
    with Catalogue(root) as store:
        return any(row.pictures for row in store.sets()) or bool(store.count("ok") == 0 and store.known())


def waiting_to_be_indexed(folder: str | Path) -> int:
    """How many picture files of an indexed folder are new or changed since."""
    root = real_folder(folder)
    with Catalogue(root) as store:
        changes = scan.compare(scan.list_pictures(root), store.known())
        return len(changes.new) + len(changes.changed)


def status(folder: str | Path) -> dict[str, Any]:
    """What a folder's database holds and how it compares with the disk, as plain values."""
    root = real_folder(folder)
    with Catalogue(root) as store:
        changes = scan.compare(scan.list_pictures(root), store.known())
        return {
            "folder": os.fspath(root),
            "database": os.fspath(store.path),
            "pictures": store.count("ok"),
            "new": len(changes.new),
            "changed": len(changes.changed),
            "gone": len(changes.gone),
            "in_trash": store.count("trash"),
            "unreadable": [
                {"path": os.fspath(root / path), "reason": reason} for path, reason in store.unreadable().items()
            ],
            "sets": [{**asdict(row.provenance), "pictures": row.pictures} for row in store.sets()],
            "runs": [asdict(run) for run in trash.runs_in_trash(store)],
            "foreign_table": store.has_foreign_table(),
        }
