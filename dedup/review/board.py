"""What the review window shows: the pictures of one set on a pair of axes measured in pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from dedup.review.layout import CAPTION_LINE, PICTURES_PER_PAGE, Box, fitted, grid
from dedup.review.session import ReviewSession
from dedup.review.thumbnails import Thumbnails, load_or_explain
from dedup.wording import dimensions, how_similar, printable, shortened, size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GREEN, RED, INK, PALE = "#2e9e4f", "#cf3a33", "#222222", "#777777"
THUMBNAIL_SIDE, ZOOM_SIDE = 640, 2400


class Board:
    """Draws the session's current set; every border is read from the session at that moment."""

    def __init__(self, axes: Axes, session: ReviewSession) -> None:
        self._axes = axes
        self._session = session
        self._thumbnails = Thumbnails(THUMBNAIL_SIDE)
        self.boxes: dict[int, Box] = {}
        self.shown: list[int] = []

    def draw_grid(self, page: int, focus: int) -> None:
        """Show one page of the set side by side, each picture with its caption."""
        self._clear()
        one = self._session.current
        first = page * PICTURES_PER_PAGE
        self.shown = list(range(first, min(first + PICTURES_PER_PAGE, len(one.pictures))))
        if one.keeper not in self.shown:
            self.shown.insert(0, one.keeper)  # in sight on every page, to compare with
        keeper = one.pictures[one.keeper]
        aspect = min(max(keeper.width / max(keeper.height, 1), 0.4), 2.5)
        area = self._axes.bbox
        boxes = grid(len(self.shown), area.width, area.height, aspect)
        self.boxes = dict(zip(self.shown, boxes, strict=True))
        for number, box in self.boxes.items():
            inner = Box(box.left + 6, box.top + 6, box.width - 12, box.height - 12)
            self._show_thumbnail(self._thumbnails.get(one.pictures[number].full_path), inner)
            self._draw_border(box, RED if number in one.marked else GREEN)
            self._write_caption(number, box, is_focus=number == focus)

    def draw_zoomed(self, number: int) -> str:
        """Show one picture in the whole area; the line that says which."""
        self._clear()
        self.boxes = {}
        picture = self._session.current.pictures[number]
        image = load_or_explain(picture.full_path, ZOOM_SIDE)
        area = self._axes.bbox
        box = fitted(Box(0, 0, area.width, area.height), *image.size)
        self._axes.imshow(np.asarray(image), extent=box.extent, aspect="auto", interpolation="antialiased")
        self._measure_in_pixels()
        verb = "to be removed" if number in self._session.current.marked else "stays"
        facts = f"{dimensions(picture)}, {size(picture.size)}, {verb}"
        return f"{number + 1}  {printable(picture.full_path)}   {facts}   (wheel: magnify, Z: back)"

    def magnify(self, factor: float, x: float, y: float) -> None:
        """Bring a zoomed picture nearer (factor below 1) or farther around a point of the axes."""
        for limits, set_limits, middle in (
            (self._axes.get_xlim(), self._axes.set_xlim, x),
            (self._axes.get_ylim(), self._axes.set_ylim, y),
        ):
            low, high = (middle + (limit - middle) * factor for limit in limits)
            set_limits(low, high)

    def at(self, x: float | None, y: float | None) -> int | None:
        """The picture at a point of the window, in its pixels from the lower left."""
        if x is None or y is None:
            return None
        area = self._axes.bbox
        for number, box in self.boxes.items():
            if box.contains(x - area.x0, area.y1 - y):
                return number
        return None

    def load_ahead(self) -> None:
        """Begin to load the sets before and after the current one."""
        position, sets = self._session.position, self._session.sets
        for one in [*sets[position + 1 : position + 4], *sets[max(0, position - 2) : position]]:
            self._thumbnails.ahead(picture.full_path for picture in one.pictures[:PICTURES_PER_PAGE])

    def close(self) -> None:
        """Stop loading."""
        self._thumbnails.close()

    def _clear(self) -> None:
        self._axes.clear()
        self._axes.set_axis_off()
        self._measure_in_pixels()

    def _measure_in_pixels(self) -> None:
        area = self._axes.bbox
        self._axes.set_xlim(0, area.width)
        self._axes.set_ylim(area.height, 0)

    def _show_thumbnail(self, image: Image.Image, box: Box) -> None:
        place = fitted(box, *image.size)
        # Resized once here, to the pixel, so that drawing has nothing left to resample.
        size_shown = max(1, round(place.width)), max(1, round(place.height))
        shown = np.asarray(image.resize(size_shown, Image.Resampling.BILINEAR))
        self._axes.imshow(shown, extent=place.extent, aspect="auto", interpolation="nearest")
        self._measure_in_pixels()  # imshow moved the limits to its picture

    def _label(self, number: int) -> str:
        """The picture's number in its set, and the key that switches it where that is another."""
        key = self.shown.index(number) + 1
        return f"{number + 1}" if key == number + 1 or key > 9 else f"{number + 1} [key {key}]"

    def _draw_border(self, box: Box, colour: str) -> None:
        from matplotlib.patches import Rectangle

        border = Rectangle((box.left, box.top), box.width, box.height, fill=False, linewidth=5, edgecolor=colour)
        self._axes.add_patch(border)

    def _write_caption(self, number: int, box: Box, *, is_focus: bool) -> None:
        one = self._session.current
        picture = one.pictures[number]
        marked = number in one.marked
        role = "KEEPER" if number == one.keeper else "REMOVE" if marked else "KEEP"
        match = "" if number == one.keeper else f"   {how_similar(self._session.match(number))}"
        limit = max(12, int(box.width / 7.5))
        lines = (
            (f"{self._label(number)}  {shortened(printable(picture.full_path.name), limit)}", INK),
            (f"in {shortened(printable(picture.full_path.parent), limit)}", PALE),
            (f"{dimensions(picture)}   {size(picture.size)}", PALE),
            (role + match, RED if marked else GREEN),
        )
        for row, (line, colour) in enumerate(lines):
            self._axes.text(
                box.left + 2,
                box.top + box.height + 8 + CAPTION_LINE * row,
                line,
                va="top",
                fontsize=8.5,
                color=colour,
                weight="bold" if is_focus and row == 0 else "normal",
                parse_math=False,
            )
