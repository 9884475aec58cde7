"""Find the groups of duplicates, by their looks or by their names, and plan what to remove."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from dedup import comparison, filenames, scan, trash
from dedup.cache import Cached
from dedup.comparison import Wanted
from dedup.errors import DedupError
from dedup.keep import MARKS, Evidence, Group, Headers, KeepRule, Match, Ranking, make_groups
from dedup.match import ROUNDING
from dedup.neighbours import Depth, Dismissed, Neighbours, nothing_dismissed
from dedup.progress import Report, Skipped, silent
from dedup.provenance import Provenance
from dedup.scan import real_folder
from dedup.settings import Settings
from dedup.store import (
    Catalogue,
    NotDuplicates,
    Picture,
    database_path,
    record_not_duplicates,
)
from dedup.trash import Plan
from dedup.verifier import Verifier
from dedup.workflow.policies import numbered_apart, real_places
from dedup.workflow.sparing import Sparing

UNMARKED = "Look-alikes of {encoder} are often different pictures: they are shown unmarked, for you to judge."
CUT = (
    "{cut:,} pictures have more than {most} candidates below the threshold: only the {most} nearest of each "
    "are looked at (setting neighbours, or --neighbours)."
)
APART = "Pictures that both lie in {folder} are not compared with each other, only with others."


@dataclass(slots=True)
class Found:
    """The groups of a find run and what the reviewers need to know about them.

    ``threshold`` is a similarity; for fingerprints, of ``bits`` bits, the number that may differ.
    """

    encoder: str
    threshold: float
    folders: list[Path]
    pictures: int
    skipped: list[Skipped]
    groups: list[Group]
    rule: KeepRule
    relation: Callable[[Picture, Picture], Match | None]
    notices: list[str] = field(default_factory=list)
    bits: int = 0
    provenance: Provenance | None = None


@dataclass(frozen=True, slots=True)
class FindOptions:
    """How to find: without a threshold the encoder's own; ``within`` also pairs pictures of one folder.

    The threshold is in the unit of the encoder's metric. ``wanted`` narrows the sets to compare. ``mark`` names what
    may be marked for removal (a key of ``keep.MARKS``); pairs that only look alike are shown with ``look_alikes`` or
    where they may be marked. Pairs from ``candidates`` on (the encoder's own without it), the ``neighbours`` nearest
    of each picture, are verified. With ``lowest_cosine`` (of ``comparison.lowest_cosine``) no pair below it is a match,
    whatever verification would find. No two pictures that both lie in one folder of ``across`` are compared.
    """

    wanted: Wanted = field(default_factory=Wanted)
    threshold: float | None = None
    within: bool = False
    rule: KeepRule = field(default_factory=KeepRule)
    mark: str = "same"
    look_alikes: bool = False
    candidates: float | None = None
    neighbours: int = 20
    max_megapixels: int = 100
    lowest_cosine: float | None = None
    across: tuple[str, ...] = ()


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
        provenance = next(iter(comparison.common_sets(stores, options.wanted)), comparison.NOTHING)
        threshold = comparison.threshold_for(options.threshold, provenance, options.lowest_cosine)
        gathered = comparison.gather(stores, provenance, report)
        pictures = gathered.pictures
        sure = comparison.marks(provenance)
        similarity = comparison.as_similarity(threshold, provenance)
        verifier = Verifier(pictures, roots, options.max_megapixels, report)
        stack.callback(verifier.close)
        headers = Headers()
        neighbours = _neighbours(gathered, stores, provenance, similarity, options, within, verifier, headers, report)
        evidence = Evidence(headers, neighbours.is_enlarged, neighbours.closeness)
        edits = neighbours.settle(Ranking(pictures, options.rule, evidence).key, compare=options.rule.needs_detail)
        groups = make_groups(
            pictures,
            neighbours.candidates(),
            partial(_matches_from, neighbours, options.lowest_cosine),
            options.rule,
            mark=MARKS[options.mark],
            edits=edits,
            may_be_sure=neighbours.may_be_sure,
            evidence=evidence,
        )
    sparing = Sparing()
    groups = sparing.spared(groups)
    return Found(
        provenance.encoder,
        threshold,
        roots,
        len(pictures),
        gathered.skipped,
        groups,
        options.rule,
        sparing.told(_relation_among(groups, pictures, neighbours)),
        notices=_notices(provenance.encoder, sure, options, neighbours.cut),
        bits=provenance.dim if provenance.is_bits else 0,
        provenance=provenance,
    )


def _matches_from(neighbours: Neighbours, lowest: float | None, number: int) -> list[Match]:
    """A picture's matches; those that only verification found may be less similar than was asked for."""
    return [one for one in neighbours.matches_of(number) if lowest is None or one.similarity >= lowest - ROUNDING]


def _neighbours(
    gathered: comparison.Gathered,
    stores: Sequence[Catalogue],
    provenance: Provenance,
    similarity: float,
    options: FindOptions,
    within: bool,
    verifier: Verifier,
    headers: Headers,
    report: Report,
) -> Neighbours:
    """Who matches whom among the gathered pictures."""
    across = real_places(options.across)
    folders = numbered_apart(gathered.pictures, gathered.folders, within, across) if across else gathered.folders
    lowest = min(similarity, comparison.lowest_candidate(options.candidates, provenance))
    return Neighbours(
        gathered.pictures,
        gathered.vectors,
        folders,
        similarity,
        verify=verifier,
        depth=Depth(lowest, options.neighbours) if options.lowest_cosine is None else None,
        look_alikes=options.look_alikes or options.mark == "all",
        within=within and not across,
        dismissed=NotDuplicates(stores),
        sure=comparison.marks(provenance),
        device=comparison.matching_device(len(gathered.pictures), provenance.dim),
        report=report,
        memory=partial(_remembered, [store.root for store in stores], provenance, within, across),
        from_camera=headers.from_camera,
    )


def _remembered(
    roots: Sequence[Path], provenance: Provenance, within: bool, across: Sequence[Path], what: str
) -> Cached:
    """Where what was found among these folders is kept; among others, or with another encoder, it is found anew."""
    names = what, str(within), str(provenance), *map(str, roots), *(f"across {folder}" for folder in across)
    return Cached("matches", ".npz", names)


def _notices(encoder: str, sure: bool, options: FindOptions, cut: int) -> list[str]:
    notices = [] if sure or options.mark != "all" else [UNMARKED.format(encoder=encoder)]
    if cut:
        notices.append(CUT.format(cut=cut, most=options.neighbours))
    notices += [APART.format(folder=folder) for folder in options.across]
    return notices


def find_by_name(folders: Sequence[str | Path], settings: Settings, report: Report) -> Found:
    """The copies that their names suggest and their contents confirm; needs no index."""
    roots = _distinct(folders)
    rule = KeepRule(real_places(settings.protected), tuple(roots))
    groups: list[Group] = []
    seen: set[tuple[int, int]] = set()
    # A file in nested folders belongs to the inner one, and is offered once.
    for root in sorted(roots, key=lambda root: -len(root.parts)):
        listing = scan.list_pictures(root)
        listing.files = [found for found in listing.files if found.identity not in seen]
        seen.update(found.identity for found in listing.files)
        dismissed = _dismissed_in(root)
        for group in filenames.find_copies(listing, settings.max_megapixels, report):
            others = tuple(
                one
                for one in group.others
                if not dismissed(group.keeper.digest, one.picture.digest) and not rule.keeps(one.picture)
            )
            if others:
                groups.append(replace(group, others=others))
    sparing = Sparing()
    relation = sparing.told(filenames.relation)
    return Found("file names", 1.0, roots, len(seen), [], sparing.spared(groups), rule, relation)


def plan_marked(found: Found, report: Report = silent) -> Plan:
    """The plan that removes every marked picture of a find run as it stands, with the files that belong to each."""
    plan = trash.make_plan(
        found.encoder,
        found.threshold,
        found.folders,
        (
            (member.picture, group.keeper, member.similarity, member.tier)
            for group in found.groups
            for member in group.others
            if member.marked
        ),
        found.rule.protected,
    )
    return trash.complete(plan, report)


def remember_not_duplicates(sets: Iterable[Sequence[Picture]]) -> None:
    """Record sets a person called "not duplicates", by content, in every folder involved."""
    for pictures in sets:
        for root in sorted({picture.root for picture in pictures}):
            with Catalogue(root, create=True) as store:
                record_not_duplicates(store, [picture.digest for picture in pictures])


def _dismissed_in(root: Path) -> Dismissed:
    if not database_path(root).exists():
        return nothing_dismissed
    with Catalogue(root) as store:
        return NotDuplicates([store])


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
