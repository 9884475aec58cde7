"""Index, find, plan, remove, undo as plain functions: all that the front ends call.

They take values and a report, return values and raise DedupError; they never print, ask or
exit. Folders are given in any spelling and resolved here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from dedup import comparison, filenames, hasher, scan, trash
from dedup.encoders import Encoder, EncoderSpec, LoadOptions, spec
from dedup.errors import DedupError
from dedup.keep import Group, KeepRule, Match, make_groups
from dedup.neighbours import Dismissed, Neighbours, nothing_dismissed
from dedup.progress import Notice, Report, Skipped
from dedup.scan import real_folder
from dedup.settings import Settings
from dedup.store import (
    Catalogue,
    NotDuplicates,
    Picture,
    database_path,
    folder_lock,
    record_not_duplicates,
)
from dedup.trash import Outcome, Plan, Run


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


def load_encoder(row: EncoderSpec, options: LoadOptions, report: Report) -> Encoder:
    """The encoder with its weights; says that loading takes a moment."""
    report(Notice(f"Loading PyTorch and {row.title} ..."))
    return row.load(options)


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
    at most the batch in flight; the next run goes on from there. ``encoder`` is one that is
    loaded already, instead of the one the settings name.
    """
    root = real_folder(folder)
    row, options = spec(settings.encoder), _load_options(settings)
    wanted = _identity_of(encoder) if encoder else _identity_in_registry(row, options)
    with Catalogue(root, create=True) as store, folder_lock(root):
        trash.settle(store)
        listing = scan.list_pictures(root)
        before = scan.compare(listing, store.known())
        changes = hasher.recognise_moved(store, before)
        todo = listing.files if again else _without_vector(store, changes, wanted)
        summary = hasher.HashSummary(0, 0, 0.0)
        if todo:
            ready = encoder or load_encoder(row, options, report)
            how = hasher.HashOptions(
                settings.batch_size or row.batch_size, settings.num_workers, settings.max_megapixels
            )
            summary = hasher.hash_pictures(store, todo, ready, how, report)
        return IndexResult(
            wanted[0],
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
        provenance = comparison.common_set(stores, options.encoder, options.kind)
        threshold = comparison.threshold_for(options.threshold, provenance)
        gathered = comparison.gather(stores, provenance, report)
        dismissed = NotDuplicates(stores)
    pictures = gathered.pictures
    neighbours = Neighbours(
        pictures,
        gathered.vectors,
        gathered.folders,
        threshold,
        within=within,
        dismissed=dismissed,
        device=comparison.matching_device(len(pictures), provenance.dim),
        report=report,
    )
    groups = make_groups(pictures, neighbours.candidates(), neighbours.matches_of, options.rule)
    return Found(
        provenance.encoder,
        threshold,
        roots,
        len(pictures),
        gathered.skipped,
        groups,
        options.rule,
        _relation_among(groups, pictures, neighbours),
    )


def find_by_name(folders: Sequence[str | Path], settings: Settings, report: Report) -> Found:
    """The copies that their names suggest and their contents confirm; needs no index."""
    roots = _distinct(folders)
    groups: list[Group] = []
    seen: set[tuple[int, int]] = set()
    # A file in nested folders belongs to the inner one, and is offered once.
    for root in sorted(roots, key=lambda root: -len(root.parts)):
        listing = scan.list_pictures(root)
        listing.files = [found for found in listing.files if found.identity not in seen]
        seen.update(found.identity for found in listing.files)
        dismissed = _dismissed_in(root)
        for group in filenames.find_copies(listing, settings.max_megapixels, report):
            others = tuple(one for one in group.others if not dismissed(group.keeper.digest, one.picture.digest))
            if others:
                groups.append(replace(group, others=others))
    return Found("file names", 1.0, roots, len(seen), [], groups, KeepRule(), filenames.relation)


def _dismissed_in(root: Path) -> Dismissed:
    if not database_path(root).exists():
        return nothing_dismissed
    with Catalogue(root) as store:
        return NotDuplicates([store])


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
    root = real_folder(folder)
    if not trash.has_trash(root):
        return []
    with Catalogue(root, create=True) as store:
        return trash.runs_in_trash(store)


def undo(folder: str | Path, run_id: str | None, report: Report) -> Outcome:
    """Bring back a run of a folder (the latest by default)."""
    with _with_trash(folder) as store:
        return trash.undo(store, run_id, report)


def purge(folder: str | Path, run_id: str | None, report: Report, *, last_copies: bool = False) -> Outcome:
    """Delete a run (or everything) from a folder's trash for good; see ``trash.purge``."""
    with _with_trash(folder) as store:
        return trash.purge(store, run_id, report, last_copies=last_copies)


def _with_trash(folder: str | Path) -> Catalogue:
    """The database of a folder that has a trash; a lost database is made anew, none is made elsewhere."""
    root = real_folder(folder)
    if not trash.has_trash(root):
        raise DedupError(f"The trash of {root} is empty.", "There is nothing to bring back or to purge.")
    return Catalogue(root, create=True)


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
            trash.files_in_trash(store),
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


# (encoder, layer, preprocessing version, checkpoint); "" stands for a checkpoint only loading can tell.
_Identity = tuple[str, str, int, str]


def _identity_of(encoder: Encoder) -> _Identity:
    made_by = encoder.provenance
    return made_by.encoder, made_by.layer, made_by.preprocessing, made_by.checkpoint


def _identity_in_registry(row: EncoderSpec, options: LoadOptions) -> _Identity:
    return row.name, options.kind, row.preprocessing, row.checkpoint(options)


def _load_options(settings: Settings) -> LoadOptions:
    row = spec(settings.encoder)
    if settings.kind and settings.kind not in row.kinds:
        raise DedupError(f"{row.name} has no embedding {settings.kind}.", f"Choose one of: {', '.join(row.kinds)}.")
    return LoadOptions(row.layer(settings.kind), Path(settings.weights).expanduser() if settings.weights else None)


def _without_vector(store: Catalogue, changes: scan.Changes, wanted: _Identity) -> list[scan.FileFacts]:
    """New and changed files, and unchanged readable ones that have no vector of this encoder yet."""
    covered: set[str] = set()
    for row in store.sets():
        made_by = row.provenance
        same_encoder = (made_by.encoder, made_by.layer, made_by.preprocessing) == wanted[:3]
        if same_encoder and wanted[3] in ("", made_by.checkpoint):
            covered |= store.embedded(row.id)
    unreadable = store.unreadable()
    missing = [found for found in changes.unchanged if found.path not in covered and found.path not in unreadable]
    return sorted([*changes.new, *changes.changed, *missing])


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
        runs_here = trash.runs_in_trash(store)
        return {
            "folder": os.fspath(root),
            "database": os.fspath(store.path),
            "pictures": store.count("ok"),
            "new": len(changes.new),
            "changed": len(changes.changed),
            "gone": len(changes.gone),
            "in_trash": sum(run.files for run in runs_here),
            "unreadable": [
                {"path": os.fspath(root / path), "reason": reason} for path, reason in store.unreadable().items()
            ],
            "sets": [{**asdict(row.provenance), "pictures": row.pictures} for row in store.sets()],
            "runs": [asdict(run) for run in runs_here],
            "foreign_table": store.has_foreign_table(),
        }
