"""The review window: one set at a time, side by side; green stays, red is to be removed.

Its colours are the plan, always: every redraw reads them from the session. Closing the
window ends the review; nothing is removed here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from dedup.review.board import INK, PALE, RED, Board
from dedup.review.layout import PICTURES_PER_PAGE, Box, pages
from dedup.review.session import ReviewSession
from dedup.wording import files, size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BACKGROUND = "#f4f4f2"
FALLBACK_FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Hiragino Sans",
    "PingFang SC",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Noto Sans Devanagari",
    "Noto Emoji",
    "Segoe UI Emoji",
)
HELP = (
    "click or 1-9: keep / remove    K or right click: make it the keeper    N: not duplicates    Z: zoom\n"
    "left / right: previous / next set    Page Up / Down: more of a large set    Q: close, then confirm in the terminal"
)


def review_in_window(session: ReviewSession, backend: str) -> None:
    """Open the window and return when it is closed."""
    import matplotlib

    matplotlib.use(backend)
    from matplotlib import pyplot

    _prepare_matplotlib()
    figure = pyplot.figure(figsize=(13, 8.2), facecolor=BACKGROUND)
    window = ReviewWindow(figure, session)
    try:
        window.draw()
        pyplot.show(block=True)
    finally:
        window.close()
        pyplot.close(figure)


def _prepare_matplotlib() -> None:
    """No toolbar, no keys of matplotlib's own, and fonts for names in other scripts where there are any."""
    import matplotlib
    from matplotlib.font_manager import fontManager

    for name in [name for name in matplotlib.rcParams if name.startswith("keymap.")]:
        matplotlib.rcParams[name] = []
    matplotlib.rcParams["toolbar"] = "None"
    installed = set(fontManager.get_font_names())
    matplotlib.rcParams["font.family"] = ["DejaVu Sans", *(font for font in FALLBACK_FONTS if font in installed)]
    # A name in a script without a font shows boxes; the terminal need not hear of it.
    warnings.filterwarnings("ignore", message="Glyph .* missing from")


class ReviewWindow:
    """One figure showing one session; every key and click is a method of the session and a redraw."""

    def __init__(self, figure: Figure, session: ReviewSession) -> None:
        from matplotlib.widgets import Button

        self.figure = figure
        self.session = session
        self.focus = 0
        self.page = 0
        self.zoomed = False
        self.message = ""
        self._axes: Axes = figure.add_axes((0.0, 0.11, 1.0, 0.8))
        self._board = Board(self._axes, session)
        self._title = figure.text(0.015, 0.955, "", ha="left", va="center", fontsize=14, weight="bold", color=INK)
        self._totals = figure.text(0.985, 0.955, "", ha="right", va="center", fontsize=11, color=RED)
        self._line = figure.text(0.5, 0.098, "", ha="center", va="center", fontsize=10, color=INK, parse_math=False)
        self._hint = figure.text(0.5, 0.018, HELP, ha="center", va="center", fontsize=8, color=PALE)
        self.previous = Button(figure.add_axes((0.31, 0.042, 0.17, 0.042)), "<- Previous")
        self.next = Button(figure.add_axes((0.52, 0.042, 0.17, 0.042)), "Next ->")
        self.previous.on_clicked(lambda _: self.step(-1))
        self.next.on_clicked(lambda _: self.step(1))
        self._keys = self._key_table()
        connect = figure.canvas.mpl_connect
        connect("key_press_event", self._on_key)
        connect("button_press_event", self._on_click)
        connect("scroll_event", self._on_scroll)
        connect("resize_event", lambda _: self.draw())

    @property
    def boxes(self) -> dict[int, Box]:
        """Where the pictures shown are, by number, in pixels of the axes; empty in zoom."""
        return self._board.boxes

    # -- actions ----------------------------------------------------------------------

    def step(self, by: int) -> None:
        """Show another set; in zoom, another picture of this set."""
        if self.zoomed:
            self.focus = (self.focus + by) % len(self.session.current.pictures)
        elif self.session.step(by):
            self.focus, self.page, self.message = 0, 0, ""
        else:
            self.message = "This is the last set." if by > 0 else "This is the first set."
        self.draw()

    def turn_page(self, by: int) -> None:
        """Show other pictures of a set that is larger than one page."""
        count = pages(len(self.session.current.pictures))
        self.page = min(max(self.page + by, 0), count - 1)
        self.focus = self.page * PICTURES_PER_PAGE
        self.draw()

    def toggle(self, number: int) -> None:
        """Switch a picture between keep and remove."""
        if number < len(self.session.current.pictures):
            self.focus = number
            self.message = self.session.toggle(number)
            self.draw()

    def toggle_shown(self, place: int) -> None:
        """Switch the picture at a place (from 0) of the page shown."""
        if place < len(self._board.shown):
            self.toggle(self._board.shown[place])

    def make_keeper(self) -> None:
        """Make the picture last clicked or pressed, or under the pointer, the keeper."""
        self.message = self.session.make_keeper(self.focus)
        self.draw()

    def not_duplicates(self) -> None:
        """Call this set not duplicates, or take it back."""
        self.message = self.session.toggle_not_duplicates()
        self.draw()

    def zoom(self) -> None:
        """Show one picture in the whole window, or all of them again."""
        self.zoomed = not self.zoomed
        self.message = ""
        self.draw()

    def quit(self) -> None:
        """Leave the zoom, else close the window."""
        from matplotlib import pyplot

        if self.zoomed:
            self.zoom()
        else:
            pyplot.close(self.figure)

    def close(self) -> None:
        """Stop loading pictures ahead."""
        self._board.close()

    # -- events -----------------------------------------------------------------------

    def _key_table(self) -> dict[str, Callable[[], None]]:
        table: dict[str, Callable[[], None]] = {
            "left": lambda: self.step(-1),
            "right": lambda: self.step(1),
            "pageup": lambda: self.turn_page(-1),
            "pagedown": lambda: self.turn_page(1),
            "k": self.make_keeper,
            "n": self.not_duplicates,
            "z": self.zoom,
            "escape": self.quit,
            "q": self.quit,
            " ": lambda: self.toggle(self.focus),
        }
        for digit in range(1, 10):
            table[str(digit)] = partial(self.toggle_shown, digit - 1)
        return table

    def _on_key(self, event: Any) -> None:
        key = (event.key or "").lower()
        if key in ("k", "z", " ") and not self.zoomed and (pointed := self._board.at(event.x, event.y)) is not None:
            self.focus = pointed
        if action := self._keys.get(key):
            action()

    def _on_click(self, event: Any) -> None:
        if event.inaxes is not self._axes or self.zoomed:
            return
        number = self._board.at(event.x, event.y)
        if number is None:
            return
        self.focus = number
        if event.button == 3:
            self.make_keeper()
        else:
            self.toggle(number)

    def _on_scroll(self, event: Any) -> None:
        if not self.zoomed or event.xdata is None:
            return
        self._board.magnify(0.8 if event.button == "up" else 1.25, event.xdata, event.ydata)
        self.figure.canvas.draw_idle()

    # -- drawing ----------------------------------------------------------------------

    def draw(self) -> None:
        """Draw the current set as the session has it now."""
        if self.zoomed:
            self.message = self._board.draw_zoomed(self.focus)
        else:
            self._board.draw_grid(self.page, self.focus)
        count, freed = self.session.totals()
        self._title.set_text(self._heading())
        self._totals.set_text(f"to remove: {files(count)}, {size(freed)}")
        self._line.set_text(self.message)
        if self.figure.canvas.manager is not None:
            place = f"set {self.session.position + 1} of {len(self.session.sets)}"
            self.figure.canvas.manager.set_window_title(f"Review duplicates - {place}, removing {files(count)}")
        self.figure.canvas.draw_idle()
        self._board.load_ahead()

    def _heading(self) -> str:
        session = self.session
        heading = f"Duplicate Set {session.position + 1} of {len(session.sets)}"
        count = pages(len(session.current.pictures))
        if session.current.not_duplicates:
            heading += "   (not duplicates)"
        if count > 1:
            heading += f"   (page {self.page + 1} of {count}: Page Up / Page Down)"
        return heading
