"""The figures that the product is to reach at its defaults, and whether a run reaches them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from edits import TIERS
from scoring import BEST, DEFAULT, LARGEST, SURER, Deletion, Grouping, Recall, Result

RECALL = {"exact": 1.0, "easy": 0.999, "medium": 0.98, "hard": 0.92, "extreme": 0.65}
# Shares of the look-alikes, and of the photos that were edited; to be reached they must lie below.
LOOK_ALIKES_IN_SETS = 0.005
ORIGINALS_GONE = 0.15
NOTHING = "nothing to measure"


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal and the figure measured; ``reached`` is None where nothing was to measure, or only to be reported."""

    what: str
    goal: str
    figure: str
    reached: bool | None


def goals(product: Result) -> list[Goal]:
    """The goals in the order of the report."""
    default = product.deletions[DEFAULT]
    return [
        *(_recall(tier, product.grouping.recall_of(tier)) for tier in TIERS),
        _none_of(f"pictures of different sources in one set at tier {SURER}", product.grouping.mixed[0]),
        *_look_alikes(product.grouping, default),
        _none_of(f"deleted without a surviving true copy: {DEFAULT}", len(default.lost)),
        *_originals(product.deletions),
    ]


def rate(part: int, total: int) -> str:
    """A share to three decimals, cut off, not rounded: 1.000 means all."""
    return f"{math.floor(1000 * part / total) / 1000:.3f}" if total else "-"


def share(part: int, total: int) -> str:
    """A share in percent with its numbers."""
    return f"{100 * part / total:.2f} % ({part:,} of {total:,})" if total else NOTHING


def _recall(tier: str, recall: Recall) -> Goal:
    wanted = RECALL[tier]
    figure = f"{rate(recall.found, recall.total)} ({recall.found:,} of {recall.total:,})" if recall.total else NOTHING
    reached = recall.found >= wanted * recall.total if recall.total else None
    return Goal(f"recall of {tier} edits", f"{wanted:.3f}", figure, reached)


def _none_of(what: str, count: int) -> Goal:
    return Goal(what, "0", f"{count:,}", count == 0)


def _under(what: str, most: float, part: int, total: int) -> Goal:
    return Goal(what, f"under {100 * most:g} %", share(part, total), part < most * total if total else None)


def _look_alikes(grouping: Grouping, default: Deletion) -> list[Goal]:
    verified = sum(sum(by_rank[:2]) for by_rank in grouping.in_sets.values())
    return [
        _none_of(f"look-alikes deleted: {DEFAULT}", sum(default.look_alikes.values())),
        _under(
            "look-alikes in a set at tier edited or surer",
            LOOK_ALIKES_IN_SETS,
            verified,
            sum(grouping.look_alikes.values()),
        ),
    ]


def _originals(deletions: Mapping[str, Deletion]) -> list[Goal]:
    largest, best = deletions[LARGEST], deletions[BEST]
    figure = share(largest.originals_gone, largest.photos)
    return [
        Goal(f"originals gone: {LARGEST}", "reported", figure, None),
        _under(f"originals gone: {BEST}", ORIGINALS_GONE, best.originals_gone, best.photos),
    ]
