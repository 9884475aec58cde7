"""A run of accuracy.py as Markdown: the goals, the scores, and what each column means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from edits import EDITS, TIERS
from goals import Goal, goals, rate
from scoring import DEFAULT, LOOK_ALIKES, RANKS, Recall, Result

EXAMPLES = 30


@dataclass(frozen=True, slots=True)
class Run:
    """One run: its command, facts about the pictures, the results (the product's first) and versions by package.

    ``left_out`` names the look-alikes that the manifest also holds under another label.
    """

    command: str
    facts: Sequence[str]
    results: Sequence[Result]
    versions: Mapping[str, str]
    left_out: Sequence[str] = ()


def document(run: Run) -> str:
    """The whole report."""
    product = run.results[0]
    parts = [
        "# Accuracy",
        f"`{run.command}`",
        "\n".join(f"- {fact}" for fact in run.facts),
        *_goals(goals(product)),
        *_recall(run.results),
        *_kinds(run.results),
        *_certainty(product),
        *_merges(run.results),
        *_deletions(run.results),
        *_seconds(run.results),
        *_wrong_members(product),
        *_lost(product),
        *_left_out(run.left_out),
        "## Versions",
        ", ".join(f"{name} {version}" for name, version in run.versions.items()),
    ]
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[object]], words: int = 1) -> str:
    """A Markdown table; the first columns, as many as ``words``, stand to the left, numbers to the right."""
    rule = ["---"] * words + ["---:"] * (len(head) - words)
    lines = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in line] for line in (head, rule, *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _goals(rows: Sequence[Goal]) -> list[str]:
    words = {True: "reached", False: "**MISSED**", None: "-"}
    missed = sum(row.reached is False for row in rows)
    lines = [[row.what, row.goal, row.figure, words[row.reached]] for row in rows]
    return [
        "## Goals",
        f"{missed} of {len(rows)} are missed. The default encoder at default settings; the tables below explain the "
        "terms. How fast pairs are verified is not measured here.",
        table(["", "goal", "measured", ""], lines),
    ]


def _recall(results: Sequence[Result]) -> list[str]:
    lines: list[list[object]] = []
    for tier in TIERS:
        recalls = [result.grouping.recall_of(tier) for result in results]
        lines.append([tier, recalls[0].total, *map(_recall_cell, recalls)])
    same = [result.grouping.same for result in results]
    lines.append(["labelled copies", same[0].total, *(rate(row.found, row.total) for row in same)])
    return [
        "## Recall",
        "Of the edits of each tier: the share that is in a set with its photo or any other copy of it / the share that "
        "is in a set with the original itself. Shares are cut off, not rounded: 1.000 means every one. A collage of "
        "two photos may stand with either. *Labelled copies* are those that the manifest calls the same; which of them "
        "is the original is not known.",
        table(["tier", "copies", *(result.name for result in results)], lines),
    ]


def _kinds(results: Sequence[Result]) -> list[str]:
    lines = []
    for edit in EDITS:
        recalls = [result.grouping.recall.get((edit.tier, edit.name), Recall(0, 0, 0)) for result in results]
        lines.append([edit.tier, edit.name, recalls[0].total, *map(_recall_cell, recalls)])
    return [
        "The same for each kind of edit; `edits.py` says what is done.",
        table(["tier", "kind", "copies", *(result.name for result in results)], lines, words=2),
    ]


def _recall_cell(recall: Recall) -> str:
    return f"{rate(recall.found, recall.total)} / {rate(recall.with_original, recall.total)}"


def _certainty(product: Result) -> list[str]:
    lines: list[list[object]] = []
    for tier in TIERS:
        total, counts = product.grouping.recall_of(tier).total, product.grouping.certainty.get(tier, (0,) * len(RANKS))
        lines.append([tier, *(rate(count, total) for count in counts), rate(total - sum(counts), total)])
    return [
        f"How sure {product.name} says it is of the edits it puts into sets, as shares of the tier's edits. At its "
        f"defaults only *{RANKS[0]}* is meant to be marked for removal.",
        table(["tier", *RANKS, "in no set with a copy"], lines),
    ]


def _merges(results: Sequence[Result]) -> list[str]:
    head = ["", *RANKS, "members unlike their keeper", *(f"{label} in a set" for label in LOOK_ALIKES)]
    lines: list[list[object]] = []
    for result in results:
        scores = result.grouping
        alike = [f"{_slashed(scores.in_sets[label])} of {scores.look_alikes[label]}" for label in LOOK_ALIKES]
        lines.append([result.name, *scores.mixed, len(scores.wrong), *alike])
    return [
        "## Wrong merges",
        "Pictures that share a set with a picture of a different source, by how sure the tool says it is: at the tier "
        "*same picture* or surer, at *edited*, or not verified. Tools without tiers verify nothing. Only the copies of "
        "one photo have one source; each look-alike is a source of its own. *Members unlike their keeper*: those "
        "whose keeper has another source. The last columns count look-alikes in any set, at the same three degrees.",
        table(head, lines),
    ]


def _slashed(numbers: Iterable[int]) -> str:
    return " / ".join(str(number) for number in numbers)


def _deletions(results: Sequence[Result]) -> list[str]:
    alike = [f"{label} deleted" for label in LOOK_ALIKES]
    head = ["", "what is deleted", "deleted", "lost", *alike, "originals gone", "original files gone"]
    lines: list[list[object]] = []
    for result in results:
        for marking, deletion in result.deletions.items():
            gone = [f"{count} of {deletion.photos}" for count in (deletion.originals_gone, deletion.files_gone)]
            removed = [deletion.look_alikes[label] for label in LOOK_ALIKES]
            lines.append([result.name, marking, deletion.deleted, len(deletion.lost), *removed, *gone])
    return [
        "## What would be deleted",
        "*Lost*: deleted, and no other picture of the same source stays; a deleted look-alike always is. *Originals "
        "gone*: of the photos that were edited, those of which some copy or edit stays, but neither the original nor "
        "a copy with the same pixels. *Original files gone*: the same, but a copy with the same pixels in another "
        "format, such as a BMP, does not count as the original. There is a BMP of each photo, and it is nearly "
        "always the largest.",
        table(head, lines, words=2),
    ]


def _seconds(results: Sequence[Result]) -> list[str]:
    lines = [[result.name, result.settings, f"{result.wall:.1f}", f"{result.cpu:.1f}"] for result in results]
    return [
        "## Seconds",
        "From the files to the sets, the libraries being loaded already; CPU is that of all processes together. All "
        "other tools put together whatever is connected and keep the largest file.",
        table(["", "settings", "wall", "CPU"], lines, words=2),
    ]


def _wrong_members(product: Result) -> list[str]:
    wrong = product.grouping.wrong
    if not wrong:
        return []
    return [
        "## Members unlike their keeper",
        f"Those of {product.name}, the surest first; {min(EXAMPLES, len(wrong))} of {len(wrong):,}.",
        table(["picture", "its keeper", "tier"], [[one.path, one.keeper, one.tier] for one in wrong[:EXAMPLES]], 3),
    ]


def _lost(product: Result) -> list[str]:
    lost = product.deletions[DEFAULT].lost
    if not lost:
        return []
    return [
        "## Lost",
        f"By {product.name}: {DEFAULT}; {min(EXAMPLES, len(lost))} of {len(lost):,}.",
        "\n".join(f"- {path}" for path in lost[:EXAMPLES]),
    ]


def _left_out(paths: Sequence[str]) -> list[str]:
    if not paths:
        return []
    return [
        "## Left out",
        f"{len(paths):,} look-alikes that the manifest also holds as a photo or a copy, at another size or "
        "compression: to call these the same would be right.",
        "\n".join(f"- {path}" for path in paths),
    ]
