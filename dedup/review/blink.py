"""Two ways to compare a picture with its keeper, shown large: both in turn, or what differs between them.

Nothing here can change a decision.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dedup.errors import UnreadablePicture
from dedup.review.board import Board
from dedup.review.overlay import highlighted, laid_on, share_differing
from dedup.review.session import ReviewSession
from dedup.wording import printable, shortened

if TYPE_CHECKING:
    from matplotlib.backend_bases import FigureCanvasBase

    from dedup.verify.aligned import Aligned

BLINK_MS = 600
SMOOTH = "bilinear"  # what was aligned is smaller than the window
BLINK, DIFFERENCE = "blink", "difference"


class Comparison:
    """A picture laid on its keeper while one of the two views is open; ``redraw`` is called at each blink."""

    def __init__(self, canvas: FigureCanvasBase, board: Board, session: ReviewSession, redraw: Callable[[], None]):
        self._board = board
        self._session = session
        self._redraw = redraw
        self._timer = canvas.new_timer(interval=BLINK_MS)
        self._timer.add_callback(self._turn)
        self._pair: tuple[int, int] = (0, 0)
        self._aligned: Aligned | None = None
        self._keeper_shown = False
        self.view = ""

    def open(self, view: str, focus: int) -> str:
        """Show a picture of the current set with its keeper (of the keeper: the first other); "" or why not."""
        one = self._session.current
        pair = one.keeper, one.beside_keeper(focus)
        if self._aligned is None or pair != self._pair:
            try:
                aligned = laid_on(*(one.pictures[number].full_path for number in pair))
            except UnreadablePicture as problem:
                return f"{self._name(pair[1])} and the keeper cannot be compared: {problem.message}."
            if aligned is None:
                return f"{self._name(pair[1])} and the keeper cannot be aligned: nothing in them fits."
            self._aligned, self._pair = aligned, pair
        self.view, self._keeper_shown = view, False
        self._timer.stop()
        if view == BLINK:
            self._timer.start()
        return ""

    def close(self) -> None:
        """Leave the view."""
        self._timer.stop()
        self.view, self._aligned = "", None

    def blink(self) -> None:
        """Show the other of the two now, and for the whole of its time."""
        if self.view == BLINK:
            self._timer.stop()
            self._timer.start()
            self._turn()

    def draw(self) -> str:
        """Draw the view that is open; the line that says what is shown."""
        if self._aligned is None:
            return ""
        keeper, other = self._pair
        if self.view == DIFFERENCE:
            self._board.draw_large(highlighted(self._aligned), SMOOTH)
            share = share_differing(self._aligned)
            much = f"{100 * share:.1f} % of the common area differs (red)" if share else "nothing differs clearly"
            match = self._session.match(other)
            remark = f"; {match.remark}" if match is not None and match.remark else ""
            return f"{self._name(other)} on the keeper: {much}{remark}   (D or Escape: back, B: blink)"
        if self._keeper_shown:
            picture, shown = self._aligned.keeper, f"the KEEPER, {self._name(keeper)}"
        else:
            picture, shown = self._aligned.other, f"{self._name(other)}, laid on the keeper"
        self._board.draw_large(picture, SMOOTH)
        return f"Shown: {shown}   (space: the other, B or Escape: back, D: difference)"

    def _turn(self) -> None:
        self._keeper_shown = not self._keeper_shown
        self._redraw()

    def _name(self, number: int) -> str:
        picture = self._session.current.pictures[number]
        return f"{number + 1} {shortened(printable(picture.full_path.name), 40)}"
