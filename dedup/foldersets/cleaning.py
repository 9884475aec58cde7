"""From ``to_delete.txt`` to a plan: every line is held against the manifest and against the folders as they are now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dedup.foldersets.deciding import Decisions, compare, read_to_delete
from dedup.foldersets.manifest import FolderSet, Manifest, Member
from dedup.foldersets.partners import Partners
from dedup.progress import Report, Skipped
from dedup.tiers import LOOK_ALIKE
from dedup.trash import Plan, Removal

NOT_OURS = "the line names no picture that was laid out here"
SPARED = "no picture that stays in its set matches it; --even-last removes it all the same"
WHY = {
    "present": "its copy lies in the folders still",
    "moved": "its copy lies in the folders still, under another name",
    "spared": SPARED,
    "protected": "everything in its folder is kept, as chosen",
    "gone": "it is gone already",
    "never_laid_out": "it was never laid out, so nobody has decided about it",
}


@dataclass(frozen=True, slots=True)
class Cleanup:
    """What a cleanup would remove, and the lines it refuses, with the reasons."""

    plan: Plan
    refused: list[Skipped]


def plan_cleanup(manifest: Manifest, output: Path, report: Report, *, even_last: bool = False) -> Cleanup:
    """The plan that removes the originals named in ``to_delete.txt``; each names a match of its set that stays."""
    lines = read_to_delete(output)
    decisions = compare(manifest, output, report, even_last=even_last)
    reasons = _reasons(decisions)
    deletable = {member.original.path for member in decisions.deleted}
    refused = [Skipped(line, reasons.get(line, NOT_OURS)) for line in lines if line not in deletable]
    wanted = deletable.intersection(lines)
    removals: list[Removal] = []
    for one in manifest.sets:
        removals += _removals(one, wanted, refused, even_last=even_last)
    plan = Plan(manifest.encoder, manifest.threshold, manifest.folders, tuple(removals), manifest.created)
    return Cleanup(plan, [one for one in refused if one.reason != WHY["gone"]])


def _reasons(decisions: Decisions) -> dict[str, str]:
    kinds: dict[str, list[Member]] = {name: getattr(decisions, name) for name in WHY}
    return {member.original.path: WHY[name] for name, members in kinds.items() for member in members}


def _removals(one: FolderSet, wanted: set[str], refused: list[Skipped], *, even_last: bool) -> list[Removal]:
    staying = {number for number, member in enumerate(one.members) if member.original.path not in wanted}
    partners = Partners(one)
    removals = []
    for number, member in enumerate(one.members):
        if number in staying:
            continue
        partner = partners.of(number, staying)
        if partner is not None:
            other, pair = partner
            keeper = one.members[other].original
            removals.append(Removal(member.folder, member.original, keeper, pair.similarity, pair.tier))
        elif even_last:
            removals.append(Removal(member.folder, member.original, member.original, 0.0, LOOK_ALIKE, last_copy=True))
        else:
            refused.append(Skipped(member.original.path, SPARED))
    return removals
