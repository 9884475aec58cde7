"""A find run in one figure: the space by folder, the sets by tier, the copies by similarity."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dedup.errors import DedupError
from dedup.reports.place import PROGRAM, require_place
from dedup.tiers import TIERS
from dedup.wording import printable, size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_FOLDERS = 12
# Told apart by people who see few colours (Okabe and Ito 2008).
REMOVE, KEEP, OTHER = "#D55E00", "#999999", "#0072B2"


def write_summary(path: Path, values: Mapping[str, Any], *, force: bool = False) -> None:
    """Draw what ``find --json`` prints into a PNG file; raises DedupError where it cannot be written."""
    folders = [Path(folder) for folder in values["folders"]]
    require_place(path, folders, force=force, endings=(".png",))
    from matplotlib.figure import Figure  # draws without a display; loaded late

    figure = Figure(figsize=(12, 6.5), dpi=110, layout="constrained")
    space, tiers, similarity = figure.subplot_mosaic("AB;AC", width_ratios=(1.3, 1)).values()
    _space_by_folder(space, values["groups"])
    _sets_by_tier(tiers, values["groups"])
    _copies_by_similarity(similarity, values["groups"])
    marked = [one for group in values["groups"] for one in group["others"] if one["marked"]]
    figure.suptitle(
        f"{len(values['groups']):,} sets among {values['pictures']:,} pictures; "
        f"{len(marked):,} marked for removal, {size(sum(one['bytes'] for one in marked))}"
    )
    try:
        with warnings.catch_warnings(), path.open("wb") as file:
            warnings.simplefilter("ignore")  # a letter the font lacks is drawn as a box
            figure.savefig(file, format="png", metadata={"Software": PROGRAM})
    except OSError as problem:
        raise DedupError(
            f"The summary cannot be written to {path}: {problem.strerror}.", "Choose another place."
        ) from problem


def _space_by_folder(axes: Axes, groups: Sequence[Mapping[str, Any]]) -> None:
    removed: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for one in (one for group in groups for one in group["others"]):
        (removed if one["marked"] else others)[os.path.dirname(one["path"])] += one["bytes"]
    most = [folder for folder, _ in (removed + others).most_common(MOST_FOLDERS)][::-1]
    places = range(len(most))
    freed = [removed[folder] / 1e6 for folder in most]
    axes.barh(places, freed, color=REMOVE, label="marked for removal")
    axes.barh(places, [others[folder] / 1e6 for folder in most], left=freed, color=KEEP, label="other copies")
    names = ["..." * (len(printable(folder)) > 38) + printable(folder)[-38:] for folder in most]
    axes.set_yticks(places, labels=names, fontsize=8, parse_math=False)
    axes.set_title("Space of the copies by folder (MB)")
    axes.set_ylim(min(-0.6, len(most) - 8.6), len(most) - 0.4)  # a single bar need not fill the figure
    axes.legend(fontsize=8, loc="lower right")


def _sets_by_tier(axes: Axes, groups: Sequence[Mapping[str, Any]]) -> None:
    count = Counter(max((one["tier"] for one in group["others"]), key=TIERS.index) for group in groups)
    bars = axes.bar(range(len(TIERS)), [count[tier] for tier in TIERS], color=OTHER)
    axes.bar_label(bars, fontsize=8)
    axes.set_xticks(range(len(TIERS)), labels=[tier.replace(" ", "\n") for tier in TIERS], fontsize=8)
    axes.set_title("Sets by their least sure tier")
    axes.margins(y=0.15)


def _copies_by_similarity(axes: Axes, groups: Sequence[Mapping[str, Any]]) -> None:
    found = [one["similarity"] for group in groups for one in group["others"]]
    lowest = min(found, default=0.9)
    axes.hist(found, bins=25, range=(min(lowest, 0.95), 1.0), color=OTHER)
    axes.set_title("Copies by similarity to their keeper")
