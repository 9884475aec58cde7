"""Find duplicates, and say what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dedup import comparison, settings, workflow
from dedup.console import note, say
from dedup.jobs.running import attempt
from dedup.keep import bytes_freed
from dedup.provenance import Provenance
from dedup.settings import Settings
from dedup.wording import (
    files,
    group_lines,
    set_name,
    sets_in_words,
    size,
    threshold_in_words,
)
from dedup.workflow import FindOptions, Found, Wanted


def find(folders: Sequence[str | Path], options: FindOptions, chosen: Settings | None = None) -> Found | None:
    """The groups of a find run; None when Ctrl-C stopped it.

    Where several sets could be compared the choice is said. Without a threshold the one saved for the
    encoder is taken, where it fits the set.
    """
    if sets := workflow.ranked_sets(folders, options.wanted, chosen or settings.load()):
        if len(sets) > 1 and not options.wanted.encoder:
            words = sets_in_words(sets)
            note(f"Comparing by {words[0]}; there are also hashes of {', '.join(words[1:])} (--encoder NAME).")
        threshold = options.threshold
        if threshold is None and options.lowest_cosine is None:
            threshold = _saved_threshold(sets[0])
        options = replace(options, wanted=Wanted(provenance=sets[0]), threshold=threshold)
        if options.candidates is None:
            options = replace(options, candidates=_saved_candidates(sets[0]))
    found = attempt(lambda report: workflow.find(folders, options, report))
    for notice in found.notices if found else ():
        note(notice)
    return found


def _saved_threshold(provenance: Provenance) -> float | None:
    """The one saved for the encoder, unless it was saved for a fingerprint with other parameters."""
    saved = settings.load(provenance.encoder)
    if saved.threshold < 0 or (provenance.is_bits and not workflow.wanted_set(saved).admits(provenance)):
        return None
    return saved.threshold if saved.threshold <= (provenance.dim if provenance.is_bits else 1) else None


def _saved_candidates(provenance: Provenance) -> float | None:
    saved = settings.load(provenance.encoder).candidates
    return saved if 0 <= saved <= (provenance.dim if provenance.is_bits else 1) else None


def names(folders: Sequence[str | Path], chosen: Settings) -> Found | None:
    """The copies that names suggest and contents confirm; None when Ctrl-C stopped the search."""
    return attempt(lambda report: workflow.find_by_name(folders, chosen, report))


def show_found(found: Found) -> None:
    """Print the sets and what removing the marked pictures would free."""
    for number, group in enumerate(found.groups, 1):
        say("\n".join(group_lines(number, len(found.groups), group)) + "\n")
    say(summary(found))


def summary(found: Found) -> str:
    """One line: how many sets, and what the plan would free."""
    if found.provenance:
        how = f"{set_name(found.provenance)}, {threshold_in_words(found.threshold, found.bits)}"
    else:  # by names there is no threshold
        how = found.encoder
    if not found.groups:
        return f"No duplicates among {found.pictures:,} pictures ({how})."
    marked = sum(member.marked for group in found.groups for member in group.others)
    sets = f"{len(found.groups):,} set" + ("" if len(found.groups) == 1 else "s")
    return (
        f"{sets} of duplicates among {found.pictures:,} pictures ({how}); "
        f"{files(marked)} marked for removal, {size(bytes_freed(found.groups))}."
    )


def warn_skipped(found: Found) -> None:
    """Say how many files took no part, and why the most did not."""
    if not found.skipped:
        return
    new = sum(row.reason == comparison.NOT_INDEXED for row in found.skipped)
    if new:
        note(f"{files(new)} new or changed since indexing took no part; index again to include them.")
    lacking = sum(row.reason.startswith(comparison.NOT_INDEXED_WITH) for row in found.skipped)
    if lacking:
        note(f"{files(lacking)} took no part: they have no hashes of {found.encoder} yet; index to include them.")
    if len(found.skipped) > new + lacking:
        note(f"{files(len(found.skipped) - new - lacking)} could not be read (clean/verify and status list them).")
