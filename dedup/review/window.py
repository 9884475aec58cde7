"""The review window: one set at a time, side by side; green stays, red is to be removed.

Its colours are the plan, always: every redraw reads them from the session. Closing the
window ends the review; nothing is removed here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from dedup.review.blink import BLINK, DIFFERENCE, Comparison
from dedup.review.board import Board
from dedup.review.display import prepare_matplotlib
from dedup.review.furniture import Furniture
from dedup.review.layout import PICTURES_PER_PAGE, Box, pages
from dedup.review.session import ReviewSession
from dedup.wording import day, files, printable, size

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.widgets import Button

BACKGROUND = "#f4f4f2"


def review_in_window(session: ReviewSession, backend: str) -> None:
    """Open the window and return when it is closed."""
    import matplotlib

    matplotlib.use(backend)
    from matplotlib import pyplot

    prepare_matplotlib()
    figure = pyplot.figure(figsize=(13, 8.2), facecolor=BACKGROUND)
    window = ReviewWindow(figure, session)
    try:
        window.draw()
        pyplot.show(block=True)
    finally:
        window.close()
        pyplot.close(figure)


# The keys that mean the picture under the pointer, and those that work while two pictures are compared.
POINTING = ("k", "z", "b", "d", "m", " ")
COMPARING = ("b", "d", "escape", "q")


class ReviewWindow:
    """One figure showing one session; every key and click is a method of the session and a redraw."""

    def __init__(self, figure: Figure, session: ReviewSession) -> None:
        self.figure = figure
        self.session = session
        self.focus = 0
        self.page = 0
        self.zoomed = False
        self.message = f"{session.opening} (Home goes to the first)" if session.opening else ""
        self._is_closed = False
        self._furniture = Furniture(figure, lambda by: self.step(by))
        self._board = Board(self._furniture.axes, session)
        self._comparison = Comparison(figure.canvas, self._board, session, self.draw)
        self._keys = self._key_table()
        connect = figure.canvas.mpl_connect
        connect("key_press_event", self._on_key)
        connect("button_press_event", self._on_click)
        connect("scroll_event", self._on_scroll)
        connect("resize_event", lambda _: self.draw())
        connect("close_event", lambda _: self._closed())

    @property
    def previous(self) -> Button:
        """The button to the set before."""
        return self._furniture.previous

    @property
    def next(self) -> Button:
        """The button to the next set."""
        return self._furniture.next

    @property
    def boxes(self) -> dict[int, Box]:
        """Where the pictures shown are, by number, in pixels of the axes; empty in zoom."""
        return self._board.boxes

    # -- actions ----------------------------------------------------------------------

    def step(self, by: int) -> None:
        """Show another set; in zoom, another picture of this set; while two are compared, nothing."""
        if self._comparison.view:
            return
        if self.zoomed:
            self.message = ""
            self.focus = (self.focus + by) % len(self.session.current.pictures)
        elif self.session.step(by):
            self.focus, self.page, self.message = 0, 0, ""
        else:
            self.message = self.session.end_reached(by)
        self.draw()

    def go_to_end(self, by: int) -> None:
        """Show the first set (by -1) or the last (by 1); in zoom or while two are compared, nothing."""
        if not self.zoomed:
            self.step(by * len(self.session.sets))

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

    def reset(self) -> None:
        """Let this set stand as it was proposed."""
        self.message = self.session.reset()
        self.draw()

    def zoom(self) -> None:
        """Show one picture in the whole window, or all of them again."""
        self.zoomed = not self.zoomed
        self.message = ""
        self.draw()

    def compare(self, view: str) -> None:
        """Blink between the focused picture and its keeper, or show what differs; in that view, go back."""
        if self._comparison.view == view:
            self._comparison.close()
            self.message = ""
        else:
            self.message = self._comparison.open(view, self.focus)
            self.zoomed = self.zoomed and not self._comparison.view
        self.draw()

    def show_next_tier(self) -> None:
        """Show only the sets of the next tier, or all again."""
        if not self.zoomed:
            self.message = self.session.show_next_tier()
            self.focus, self.page = 0, 0
            self.draw()

    def switch_tier(self) -> None:
        """Mark or unmark everything of the focused picture's tier, in all sets; ask first where it was not proposed."""
        if self.zoomed:
            return
        tier = self.session.tier_meant(self.focus)
        question = self.session.question_before(tier) if tier else ""
        if not tier:
            self.message = "This picture does not match its keeper directly: it has no tier."
        elif question and self.message != question:
            self.message = question
        else:
            self.message = self.session.switch_tier(tier)
        self.draw()

    def go_to_folders(self) -> None:
        """Leave for the file manager: the sets are laid out in folders instead."""
        if not self.zoomed:
            self.session.in_folders = True
            self.quit()

    def quit(self) -> None:
        """Leave the comparison or the zoom, else close the window."""
        from matplotlib import pyplot

        if self._comparison.view:
            self.compare(self._comparison.view)
        elif self.zoomed:
            self.zoom()
        else:
            pyplot.close(self.figure)

    def _closed(self) -> None:
        self._is_closed = True
        self._comparison.close()

    def close(self) -> None:
        """Stop loading pictures ahead, and blinking."""
        self._comparison.close()
        self._board.close()

    # -- events -----------------------------------------------------------------------

    def _key_table(self) -> dict[str, Callable[[], None]]:
        table: dict[str, Callable[[], None]] = {
            "left": lambda: self.step(-1),
            "right": lambda: self.step(1),
            "home": lambda: self.go_to_end(-1),
            "end": lambda: self.go_to_end(1),
            "pageup": lambda: self.turn_page(-1),
            "pagedown": lambda: self.turn_page(1),
            "k": self.make_keeper,
            "n": self.not_duplicates,
            "r": self.reset,
            "z": self.zoom,
            "b": lambda: self.compare(BLINK),
            "d": lambda: self.compare(DIFFERENCE),
            "f": self.show_next_tier,
            "m": self.switch_tier,
            "o": self.go_to_folders,
            "escape": self.quit,
            "q": self.quit,
            " ": lambda: self.toggle(self.focus),
        }
        for digit in range(1, 10):
            table[str(digit)] = partial(self.toggle_shown, digit - 1)
        return table

    def _on_key(self, event: Any) -> None:
        key = (event.key or "").lower()
        if key in POINTING and (pointed := self._board.at(event.x, event.y)) is not None:
            self.focus = pointed
        if not self._comparison.view:
            action = self._keys.get(key)
        elif key == " ":
            action = self._comparison.blink
        else:  # no other key may decide anything while the borders are out of sight
            action = self._keys[key] if key in COMPARING else None
        if action:
            action()

    def _on_click(self, event: Any) -> None:
        if event.inaxes is not self._furniture.axes:
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
        if self._is_closed:
            return  # a last resize of a window on its way out: there is nothing left to draw on
        self._furniture.place()
        line = self.message
        if self._comparison.view:
            line = self._comparison.draw()
        elif self.zoomed:
            # A decision taken here is told in place of the facts, as no border shows it.
            line = line or self._board.zoomed_line(self.focus)
            self._board.draw_zoomed(self.focus)
        else:
            self._board.draw_grid(self.page, self.focus)
        count, freed = self.session.totals()
        seen = f"looked at: {self.session.seen:,} of {len(self.session.sets):,}"
        totals = f"to remove: {files(count)}, {size(freed)}\n{seen}"
        self._furniture.write(self._heading(), totals, printable(self.session.trouble) or line)
        if self.figure.canvas.manager is not None:
            title = f"Review duplicates - set {self.session.where}, removing {files(count)}"
            self.figure.canvas.manager.set_window_title(title)
        self.figure.canvas.draw_idle()
        self._board.load_ahead()

    def _heading(self) -> str:
        heading = f"Duplicate Set {self.session.where}"
        count = pages(len(self.session.current.pictures))
        if self.session.current.not_duplicates:
            heading += "   (not duplicates)"
        elif self.session.current.decided_at:
            heading += f"   (as decided on {day(self.session.current.decided_at)})"
        if count > 1:
            heading += f"   (page {self.page + 1} of {count}: Page Up / Page Down)"
        return heading
