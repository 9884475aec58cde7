"""A calibration as a picture: what each threshold finds, by kind of edit, and what it confuses."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dedup.calibration.calibrating import Calibration
from dedup.calibration.edits import EDITS, GROUPS
from dedup.calibration.measuring import COLLECTION
from dedup.calibration.table import written
from dedup.errors import DedupError
from dedup.permissions import make_folder

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Told apart by people who see few colours (Okabe and Ito 2008), and by their dashes.
LOOKS: tuple[tuple[str, Any], ...] = (
    ("#0072B2", "-"),
    ("#56B4E9", "--"),
    ("#E69F00", "-"),
    ("#CC79A7", "--"),
    ("#009E73", "-"),
    ("#9A7D0A", "--"),
    ("#7B3294", "-."),
)
FALSE, PROPOSED = "#C0392B", "#222222"
# Below a thousandth of a false match nothing differs.
LEAST_FALSE = 1e-3


def place_for_plot(wanted: Path | None, encoder: str, folder: Path, home: Path) -> Path:
    """Where the plot will go: a file that does not exist yet; raises DedupError where none can be written.

    Without a wish ``calibration-<encoder>.png`` in the current directory, or in ``home`` where that lies
    within the folder with the pictures: the plot is not one of them.
    """
    if wanted is None:
        here = Path.cwd()
        inside = here.resolve().is_relative_to(folder)
        if inside:
            make_folder(home)
        wanted = (home if inside else here) / f"calibration-{encoder}.png"
    if wanted.suffix.lower() != ".png":
        raise DedupError(f"The plot is a PNG, which {wanted.name} is not by its name.", "Let the name end in .png.")
    if not wanted.parent.is_dir() or not os.access(wanted.parent, os.W_OK | os.X_OK):
        raise _unwritable(wanted, "its folder is not there or may not be written")
    return _free(wanted)


def write_plot(result: Calibration, path: Path) -> Path:
    """Draw the calibration; the file written, with another number where one came up meanwhile. Never overwrites."""
    figure = _drawn(result)
    try:
        path = _free(path)
        with path.open("xb") as file:
            figure.savefig(file, format="png")
    except OSError as problem:
        raise _unwritable(path, problem.strerror or str(problem)) from problem
    return path


def _free(path: Path) -> Path:
    """The path itself, or with -2, -3 ... before its suffix where that is taken."""
    names = (path.with_stem(f"{path.stem}-{number}") if number > 1 else path for number in count(1))
    return next(name for name in names if not os.path.lexists(name))


def _unwritable(path: Path, reason: str) -> DedupError:
    return DedupError(f"The plot cannot be written to {path}: {reason}.", "Name another place with --plot FILE.png.")


def _drawn(result: Calibration) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.2), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _draw_recall(axes, result)
    false = axes.twinx()
    _draw_false(false, result)
    _draw_thresholds(axes, result)
    lines = [*axes.get_lines(), *false.get_lines()]
    named = [line for line in lines if not str(line.get_label()).startswith("_")]
    figure.legend(handles=named, loc="outside right center", frameon=False, fontsize=9.5, labelspacing=0.9)
    title = f"{result.provenance.encoder}: {result.sample:,} pictures and their edited copies; false matches from "
    axes.set_title(f"{title}{result.pairs:,} pairs of {result.pictures:,} pictures", fontsize=11, loc="left")
    return figure


def _draw_recall(axes: Axes, result: Calibration) -> None:
    thresholds = [level.threshold for level in result.levels]
    for group, (colour, dashes) in zip(GROUPS, LOOKS, strict=True):
        kinds = ", ".join(edit.name for edit in EDITS if edit.group == group)
        shares = [100 * level.recall_of(group) for level in result.levels]
        axes.plot(thresholds, shares, dashes, color=colour, linewidth=2, label=f"{group}\n({kinds})")
    axes.set_ylim(-2, 102)
    axes.set_ylabel("edited copies found, %")
    axes.grid(alpha=0.25)
    bits = result.provenance.is_bits
    unit = f"bits of {result.provenance.dim} that may differ" if bits else "similarity"
    axes.set_xlabel(f"threshold ({unit});   looser  {'→' if bits else '←'}")
    axes.set_xlim(min(thresholds), max(thresholds) if bits else 1.0)
    axes.locator_params(axis="x", nbins=14, integer=bits)


def _draw_false(axes: Axes, result: Calibration) -> None:
    from matplotlib.ticker import FuncFormatter

    thresholds = [level.threshold for level in result.levels]
    false = [max(LEAST_FALSE, level.false) for level in result.levels]
    label = f"false matches expected\nin {COLLECTION:,} pictures"
    axes.plot(thresholds, false, ":", color=FALSE, linewidth=2.6, label=label)
    axes.axhline(result.options.most_false, color=FALSE, linewidth=0.8, alpha=0.6)
    # Where the threshold is loose the curves leave room.
    place, side = (0.99, "right") if result.provenance.is_bits else (0.01, "left")
    at = (place, result.options.most_false * 1.1)
    axes.text(*at, "accepted", color=FALSE, fontsize=9, ha=side, transform=axes.get_yaxis_transform())
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.set_ylim(LEAST_FALSE, max(10.0, *false) * 2)
    axes.set_ylabel(f"false matches expected in {COLLECTION:,} pictures", color=FALSE)
    axes.tick_params(axis="y", colors=FALSE)


def _draw_thresholds(axes: Axes, result: Calibration) -> None:
    axes.axvline(
        result.usual, color="#888888", linewidth=1.2, linestyle="--", label=f"the encoder's own: {result.usual:g}"
    )
    if result.proposed is not None:
        label = f"proposed: {written(result.proposed)}"
        axes.axvline(result.proposed.threshold, color=PROPOSED, linewidth=1.8, label=label)
