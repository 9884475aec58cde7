"""A calibration as lines of text and as plain values."""

from __future__ import annotations

import os
from typing import Any

from dedup.calibration.calibrating import Calibration, Level
from dedup.calibration.edits import EDITS, GROUPS
from dedup.calibration.measuring import COLLECTION

MOST_ROWS = 24
MARKS = {"proposed": "<- proposed", "usual": "<- the encoder's own"}
ABOUT_THE_REST = (
    "Verification looks at the pixels of every candidate pair, those below the threshold too:",
    "the threshold only decides which pairs that are not verified count as look-alikes.",
)


def lines(result: Calibration) -> list[str]:
    """What was measured, the table, each kind of edit at the threshold of interest, and the proposal."""
    made_by = result.provenance
    unit = f"bits of {made_by.dim} that may differ" if made_by.is_bits else "cosine similarity"
    where = "indexed" if result.indexed else "sampled (index the folder first for a firmer figure)"
    return [
        f"{made_by.encoder} on {result.folder}; threshold: {unit}",
        f"  found: % of the edited copies of {result.sample:,} pictures at or above the threshold, by kind of edit",
        f"  false: pairs that verification does not confirm, to expect in {COLLECTION:,} such pictures; from",
        f"         {result.pairs:,} pairs of {result.pictures:,} pictures {where}; ~ estimated: too few to count",
        "",
        *_table(result),
        "",
        *_kinds(result.proposed or _usual(result)),
        "",
        *_most_alike(result),
        *proposal(result),
        *ABOUT_THE_REST,
    ]


def proposal(result: Calibration) -> list[str]:
    """The threshold proposed, what it means and where to enter it; or that there is none."""
    level, most = result.proposed, result.options.most_false
    few = "1 false match" if most == 1 else f"{most:g} false matches"
    if level is None:
        return [
            f"No threshold is proposed: more than {few} are to be expected in {COLLECTION:,} pictures even at the "
            f"strictest, {written(result.levels[0])}.",
            "Accept more with --most-false N, or take another encoder.",
        ]
    bits = f" of {result.provenance.dim} bits" if result.provenance.is_bits else ""
    return [
        f"Proposed: {written(level)}{bits}, the loosest threshold measured at which no more than {few} "
        f"is to be expected in {COLLECTION:,} pictures.",
        f"By itself it finds {_percent(level.recall_of_all)} % of these copies. "
        f"Enter it in the menu under 9 Settings, or give it as --threshold {written(level)}.",
    ]


def written(level: Level) -> str:
    """The threshold as it is typed."""
    return f"{level.threshold:g}"


def rows_shown(result: Calibration) -> list[Level]:
    """At most some two dozen levels, evenly spread, and always the strictest, the proposed and the encoder's own."""
    step = -(-len(result.levels) // MOST_ROWS)
    always = (result.levels[0], result.proposed, _usual(result))
    last = len(result.levels) - 1
    return [one for at, one in enumerate(result.levels) if (last - at) % step == 0 or one in always]


def as_json(result: Calibration) -> dict[str, Any]:
    """Everything, for scripts; shares from 0 to 1."""
    made_by = result.provenance
    return {
        "folder": os.fspath(result.folder),
        "encoder": made_by.encoder,
        "layer": made_by.layer,
        "checkpoint": made_by.checkpoint,
        "bits": made_by.dim if made_by.is_bits else 0,
        "sample": result.sample,
        "seed": result.options.seed,
        "pictures": result.pictures,
        "pairs": result.pairs,
        "indexed": result.indexed,
        "most_false": result.options.most_false,
        "usual": result.usual,
        "proposed": None if result.proposed is None else result.proposed.threshold,
        "most_alike": [
            {"first": os.fspath(one.first), "second": os.fspath(one.second), "similarity": round(one.similarity, 6)}
            for one in result.most_alike
        ],
        "levels": [
            {
                "threshold": level.threshold,
                "similarity": round(level.similarity, 6),
                "false_per_10000": level.false,
                "estimated": level.estimated,
                "recall": level.recall,
            }
            for level in result.levels
        ],
    }


def _table(result: Calibration) -> list[str]:
    rows = [f"{'threshold':>9}" + "".join(f"{group:>9}" for group in GROUPS) + f"{'all':>7}{'false':>13}"]
    usual = _usual(result)
    for level in rows_shown(result):
        shares = "".join(f"{_percent(level.recall_of(group)):>9}" for group in GROUPS)
        marks = [MARKS[name] for name, one in (("proposed", result.proposed), ("usual", usual)) if one is level]
        row = f"{written(level):>9}{shares}{_percent(level.recall_of_all):>7}{_expected(level):>13}"
        rows.append(" ".join([row, *marks]))
    return rows


def _kinds(level: Level) -> list[str]:
    """Each kind of edit by itself, a group to a line."""
    found = [f"Found at {written(level)}, by kind of edit:"]
    for group in GROUPS:
        kinds = [f"{edit.name} {_percent(level.recall[edit.name])} %" for edit in EDITS if edit.group == group]
        found.append(f"  {group:<9} {', '.join(kinds)}")
    return found


def _most_alike(result: Calibration) -> list[str]:
    """The most alike of the false pairs, for the user to judge."""
    if not result.most_alike:
        return []
    named = [f"  {one.similarity:.3f}  {one.first}  {one.second}" for one in result.most_alike]
    return ["The most alike of the false pairs that were looked at:", *named, ""]


def _usual(result: Calibration) -> Level:
    """The level of the encoder's own threshold, or the one nearest to it."""
    return min(result.levels, key=lambda level: abs(level.threshold - result.usual))


def _percent(share: float) -> str:
    # Rounded down: 100 means all.
    return f"{int(100 * share + 1e-9)}"


def _expected(level: Level) -> str:
    number = "<0.1" if 0 < level.false < 0.1 else f"{level.false:,.1f}" if level.false < 10 else f"{level.false:,.0f}"
    return f"~{number}" if level.estimated else number
