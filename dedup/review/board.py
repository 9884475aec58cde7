"""What the review window shows: the pictures of one set on a pair of axes measured in pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from dedup.review import captions
from dedup.review.layout import CAPTION_LINE, DOTS_PER_INCH, PICTURES_PER_PAGE, Box, caption_height, fitted, grid
from dedup.review.session import ReviewSession
from dedup.review.thumbnails import Thumbnails, load_or_explain
from dedup.wording import dimensions, printable, size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GREEN, RED, INK, PALE = "#2e9e4f", "#cf3a33", "#222222", "#777777"
THUMBNAIL_SIDE, ZOOM_SIDE = 640, 2400
NAME_LETTER, WORD_LETTER = 7.5, 6.8  # pixels of width, on average, in names and in sentences


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
        boxes, rows = self._layout(aspect)
        scale = self._scale
        self.boxes = {number: box.scaled(scale) for number, box in zip(self.shown, boxes, strict=True)}
        for number, box in self.boxes.items():
            self._show_thumbnail(self._thumbnails.get(one.pictures[number].full_path), box.within(6 * scale))
            self._draw_border(box, RED if number in one.marked else GREEN)
            self._write_caption(number, box, rows, is_focus=number == focus)

    def draw_large(self, image: np.ndarray[Any, Any], interpolation: str = "antialiased") -> None:
        """Show an (h, w, 3) uint8 RGB image in the whole area."""
        self._clear()
        self.boxes = {}
        area = self._axes.bbox
        height, width = image.shape[:2]
        box = fitted(Box(0, 0, area.width, area.height), width, height)
        self._axes.imshow(image, extent=box.extent, aspect="auto", interpolation=interpolation)
        self._measure_in_pixels()

    def draw_zoomed(self, number: int) -> None:
        """Show one picture in the whole area."""
        self.draw_large(np.asarray(load_or_explain(self._session.current.pictures[number].full_path, ZOOM_SIDE)))

    def zoomed_line(self, number: int) -> str:
        """The line that says which picture is zoomed, and what becomes of it."""
        picture = self._session.current.pictures[number]
        verb = "to be removed" if number in self._session.current.marked else "stays"
        facts = f"{dimensions(picture)}, {size(picture.size)}, {verb}"
        if number != self._session.current.keeper:
            facts += f", {captions.why(self._session.match(number))}"
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
        """Begin to load the visible sets before and after the current one."""
        place, visible = self._session.place, self._session.visible
        for number in [*visible[place + 1 : place + 4], *visible[max(0, place - 2) : place]]:
            one = self._session.sets[number]
            self._thumbnails.ahead(picture.full_path for picture in one.pictures[:PICTURES_PER_PAGE])

    def close(self) -> None:
        """Stop loading."""
        self._thumbnails.close()

    def _layout(self, aspect: float) -> tuple[list[Box], int]:
        """(boxes, rows for the reasons below each), in the unit in which letters have their usual size."""
        one, area, scale = self._session.current, self._axes.bbox, self._scale
        matches = [self._session.match(number) for number in self.shown if number != one.keeper]
        boxes: list[Box] = []
        # More rows can make narrower boxes, in which sentences take more rows again: the fewest that suffice.
        for rows in range(1, captions.MOST_ROWS + 1):
            caption = caption_height(captions.FACTS + rows)
            boxes = grid(len(self.shown), area.width / scale, area.height / scale, aspect, caption)
            if captions.rows_for(one, matches, int(boxes[0].width / WORD_LETTER)) <= rows:
                break
        return boxes, rows

    @property
    def _scale(self) -> float:
        """How much larger letters are here than where the heights of lines were chosen."""
        figure = self._axes.get_figure(root=True)
        return figure.dpi / DOTS_PER_INCH if figure is not None else 1.0

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

    def _write_caption(self, number: int, box: Box, rows: int, *, is_focus: bool) -> None:
        from matplotlib.transforms import Bbox, TransformedBbox

        one = self._session.current
        width = box.width / self._scale
        names, words = max(12, int(width / NAME_LETTER)), int(width / WORD_LETTER)
        verb, colour = captions.role(one, number), RED if number in one.marked else GREEN
        if number == one.keeper:
            why = captions.keeper_reasons(one, words, rows)
        else:
            why = captions.reasons(verb, self._session.match(number), words, rows)
        name, *others = captions.facts(one, number, self._label(number), names)
        # In a narrow window a line is cut rather than written over its neighbour's.
        foot = box.top + box.height
        below = (box.left, foot, box.left + box.width, foot + caption_height(captions.FACTS + rows) * self._scale)
        clip = TransformedBbox(Bbox.from_extents(*below), self._axes.transData)
        lines = [(name, INK), *((line, PALE) for line in others), *((line, colour) for line in why)]
        for row, (line, colour) in enumerate(lines):
            text = self._axes.text(
                box.left + 2,
                foot + (8 + CAPTION_LINE * row) * self._scale,
                line,
                va="top",
                fontsize=8.5,
                color=colour,
                weight="bold" if is_focus and row == 0 else "normal",
                parse_math=False,
                clip_on=True,
            )
            text.set_clip_box(clip)  # after the axes have set their own
