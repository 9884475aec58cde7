"""What stands around the pictures in the review window: heading, count, message, buttons, help."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dedup.review.board import INK, PALE, RED
from dedup.review.layout import DOTS_PER_INCH, HEADING, middle_part

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELP = (
    "click or its number: keep / remove    K or right click: make it the keeper    N: not duplicates    Z: zoom\n"
    "B: blink with the keeper    D: what differs    F: only this tier    M: mark all of this tier    R: as proposed\n"
    "left / right, Home / End: other sets    Page Up / Down: more of a large set    O: sort in folders    "
    "Q: close, then confirm in the terminal"
)
# Heights in pixels above the lower edge.
HELP_MIDDLE, BUTTONS_BOTTOM, BUTTONS_HEIGHT, LINE_MIDDLE = 26, 55, 34, 103


class Furniture:
    """Everything in the window but the pictures; it keeps its size whatever the window's."""

    def __init__(self, figure: Figure, on_step: Callable[[int], None]) -> None:
        from matplotlib.widgets import Button

        self._figure = figure
        self.axes: Axes = figure.add_axes((0.0, 0.11, 1.0, 0.8))
        self._title = figure.text(0.015, 0.955, "", ha="left", va="center", fontsize=14, weight="bold", color=INK)
        self._totals = figure.text(0.985, 0.955, "", ha="right", va="center", fontsize=11, color=RED)
        self._line = figure.text(0.5, 0.098, "", ha="center", va="center", fontsize=10, color=INK, parse_math=False)
        self._hint = figure.text(0.5, 0.018, HELP, ha="center", va="center", fontsize=8, color=PALE)
        self.previous = Button(figure.add_axes((0.31, 0.042, 0.17, 0.042)), "<- Previous")
        self.next = Button(figure.add_axes((0.52, 0.042, 0.17, 0.042)), "Next ->")
        self.previous.on_clicked(lambda _: on_step(-1))
        self.next.on_clicked(lambda _: on_step(1))

    def place(self) -> None:
        """Put everything where the window's size wants it."""
        height = max(1.0, float(self._figure.bbox.height)) * DOTS_PER_INCH / self._figure.dpi
        bottom, middle = middle_part(height)
        self.axes.set_position((0.0, bottom, 1.0, middle))
        for button, left in ((self.previous, 0.31), (self.next, 0.52)):
            button.ax.set_position((left, BUTTONS_BOTTOM / height, 0.17, BUTTONS_HEIGHT / height))
        self._line.set_y(LINE_MIDDLE / height)
        self._hint.set_y(HELP_MIDDLE / height)
        for text in (self._title, self._totals):
            text.set_y(1.0 - HEADING / 2 / height)

    def write(self, heading: str, totals: str, line: str) -> None:
        """Show these words."""
        self._title.set_text(heading)
        self._totals.set_text(totals)
        self._line.set_text(line)
