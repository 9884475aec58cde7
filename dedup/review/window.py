"""The review window: one set at a time, side by side; green stays, red is to be removed.

Its colours are the plan, always: every redraw reads them from the session. Closing the
window ends the review; nothing is removed here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from dedup.review.layout import PICTURES_PER_PAGE, Box, fitted, grid, pages
from dedup.review.session import ReviewSession
from dedup.review.thumbnails import Thumbnails, load_or_explain
from dedup.store import Picture
from dedup.wording import dimensions, files, how_similar, printable, size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREEN, RED, INK, PALE, BACKGROUND = "#2e9e4f", "#cf3a33", "#222222", "#777777", "#f4f4f2"
THUMBNAIL_SIDE, ZOOM_SIDE = 640, 2400
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
    "click or 1-9: keep / remove    K or right click: make it the keeper    N: not duplicates    "
    "Z: zoom    arrows: previous / next set    Q: close and go on to the confirmation"
)


def review_in_window(session: ReviewSession, backend: str) -> None:
    """Open the window and return when it is closed."""
    import matplotlib

    matplotlib.use(backend)
    from matplotlib import pyplot

    _prepare_matplotlib()
    figure = pyplot.figure(figsize=(13, 8.2), facecolor=BACKGROUND)
    if figure.canvas.manager is not None:
        figure.canvas.manager.set_window_title("Review duplicates")
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
        self.boxes: dict[int, Box] = {}
        self._thumbnails = Thumbnails(THUMBNAIL_SIDE)
        self._axes: Axes = figure.add_axes((0.0, 0.11, 1.0, 0.8))
        self._title = figure.text(0.5, 0.955, "", ha="center", va="center", fontsize=15, weight="bold", color=INK)
        self._totals = figure.text(0.985, 0.955, "", ha="right", va="center", fontsize=11, color=RED)
        self._line = figure.text(0.5, 0.098, "", ha="center", va="center", fontsize=10, color=INK)
        self._hint = figure.text(0.5, 0.013, HELP, ha="center", va="center", fontsize=8, color=PALE)
        self.previous = Button(figure.add_axes((0.31, 0.035, 0.17, 0.045)), "<- Previous")
        self.next = Button(figure.add_axes((0.52, 0.035, 0.17, 0.045)), "Next ->")
        self.previous.on_clicked(lambda _: self.step(-1))
        self.next.on_clicked(lambda _: self.step(1))
        self._keys = self._key_table()
        connect = figure.canvas.mpl_connect
        connect("key_press_event", self._on_key)
        connect("button_press_event", self._on_click)
        connect("scroll_event", self._on_scroll)
        connect("resize_event", lambda _: self.draw())

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
        self._thumbnails.close()

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
            table[str(digit)] = lambda digit=digit: self.toggle(self.page * PICTURES_PER_PAGE + digit - 1)  # type: ignore[misc]
        return table

    def _on_key(self, event: Any) -> None:
        key = (event.key or "").lower()
        if key in ("k", "z", " ") and not self.zoomed and (pointed := self._at(event.x, event.y)) is not None:
            self.focus = pointed
        if action := self._keys.get(key):
            action()

    def _on_click(self, event: Any) -> None:
        if event.inaxes is not self._axes or self.zoomed:
            return
        number = self._at(event.x, event.y)
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
        factor = 0.8 if event.button == "up" else 1.25
        for limits, set_limits, middle in (
            (self._axes.get_xlim(), self._axes.set_xlim, event.xdata),
            (self._axes.get_ylim(), self._axes.set_ylim, event.ydata),
        ):
            low, high = (middle + (limit - middle) * factor for limit in limits)
            set_limits(low, high)
        self.figure.canvas.draw_idle()

    def _at(self, x: float | None, y: float | None) -> int | None:
        """The picture at a point of the window, in its pixels from the lower left."""
        if x is None or y is None:
            return None
        area = self._axes.bbox
        for number, box in self.boxes.items():
            if box.contains(x - area.x0, area.y1 - y):
                return number
        return None

    # -- drawing ----------------------------------------------------------------------

    def draw(self) -> None:
        """Draw the current set as the session has it now."""
        session = self.session
        one = session.current
        axes = self._axes
        axes.clear()
        axes.set_axis_off()
        axes.set_xlim(0, axes.bbox.width)
        axes.set_ylim(axes.bbox.height, 0)
        axes.set_aspect("auto")
        if self.zoomed:
            self._draw_zoomed(one.pictures[self.focus])
        else:
            self._draw_grid()
        self._title.set_text(self._heading())
        count, freed = session.totals()
        self._totals.set_text(f"to remove: {files(count)}, {size(freed)}")
        self._line.set_text(self.message)
        self.figure.canvas.draw_idle()
        self._load_ahead()

    def _heading(self) -> str:
        session = self.session
        heading = f"Duplicate Set {session.position + 1} of {len(session.sets)}"
        count = pages(len(session.current.pictures))
        if session.current.not_duplicates:
            heading += "   (not duplicates)"
        if count > 1:
            heading += f"   (page {self.page + 1} of {count}: Page Up / Page Down)"
        return heading

    def _draw_grid(self) -> None:
        one = self.session.current
        first = self.page * PICTURES_PER_PAGE
        shown = range(first, min(first + PICTURES_PER_PAGE, len(one.pictures)))
        keeper = one.pictures[one.keeper]
        aspect = min(max(keeper.width / max(keeper.height, 1), 0.4), 2.5)
        boxes = grid(len(shown), self._axes.bbox.width, self._axes.bbox.height, aspect)
        self.boxes = dict(zip(shown, boxes, strict=True))
        for number, box in self.boxes.items():
            self._draw_picture(number, one.pictures[number], box)

    def _draw_picture(self, number: int, picture: Picture, box: Box) -> None:
        from matplotlib.patches import Rectangle

        one = self.session.current
        image = self._thumbnails.get(picture.full_path)
        self._show(image, fitted(Box(box.left + 6, box.top + 6, box.width - 12, box.height - 12), *image.size))
        marked = number in one.marked
        border = Rectangle(
            (box.left, box.top),
            box.width,
            box.height,
            fill=False,
            linewidth=5,
            edgecolor=RED if marked else GREEN,
        )
        self._axes.add_patch(border)
        role = "KEEPER" if number == one.keeper else "REMOVE" if marked else "KEEP"
        remark = role if number == one.keeper else f"{role}   {how_similar(self.session.match(number))}"
        limit = max(12, int(box.width / 7.5))
        lines = (
            f"{number + 1}  {shortened(printable(picture.full_path.name), limit)}",
            f"{dimensions(picture)}   {size(picture.size)}",
            remark,
        )
        for row, (line, colour) in enumerate(zip(lines, (INK, PALE, RED if marked else GREEN), strict=True)):
            self._axes.text(
                box.left + 2,
                box.top + box.height + 8 + 17 * row,
                line,
                va="top",
                fontsize=8.5,
                color=colour,
                parse_math=False,
            )

    def _draw_zoomed(self, picture: Picture) -> None:
        image = load_or_explain(picture.full_path, ZOOM_SIDE)
        area = Box(0, 0, self._axes.bbox.width, self._axes.bbox.height)
        self._show(image, fitted(area, *image.size), smooth=True)
        self.boxes = {}
        verb = "to be removed" if self.focus in self.session.current.marked else "stays"
        self.message = (
            f"{self.focus + 1}  {printable(picture.full_path)}   {dimensions(picture)}, {size(picture.size)}, {verb}"
            "   (wheel: magnify, Z: back)"
        )

    def _show(self, image: Any, box: Box, *, smooth: bool = False) -> None:
        from PIL import Image

        width, height = max(1, round(box.width)), max(1, round(box.height))
        if not smooth and (width, height) != image.size:
            # Resized once here, to the pixel, so that drawing has nothing left to resample.
            image = image.resize((width, height), Image.Resampling.BILINEAR)
        extent = (box.left, box.left + box.width, box.top + box.height, box.top)
        interpolation = "antialiased" if smooth else "nearest"
        shown = self._axes.imshow(np.asarray(image), extent=extent, aspect="auto", interpolation=interpolation)
        shown.set_clip_on(True)
        # imshow moves the limits to the picture; the area is the window's.
        if not smooth or self.zoomed:
            self._axes.set_xlim(0, self._axes.bbox.width)
            self._axes.set_ylim(self._axes.bbox.height, 0)

    def _load_ahead(self) -> None:
        position, sets = self.session.position, self.session.sets
        near = [*sets[position + 1 : position + 4], *sets[max(0, position - 2) : position]]
        for one in near:
            self._thumbnails.ahead(picture.full_path for picture in one.pictures[:PICTURES_PER_PAGE])


def shortened(name: str, limit: int) -> str:
    """A name no longer than ``limit`` characters, its middle left out, its suffix kept."""
    if len(name) <= limit:
        return name
    tail = limit // 2 - 1
    return name[: limit - tail - 3] + "..." + name[-tail:]
