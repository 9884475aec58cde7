"""Where pictures go in the review window: a grid in pixels, and what is drawn for one set."""

from __future__ import annotations

from dataclasses import dataclass

PICTURES_PER_PAGE = 12
CAPTION_LINE = 17
GAP = 16
# The strips above and below the pictures, in pixels: heading; message, buttons, help.
HEADING, FOOTING = 56, 118
# The resolution at which the heights of lines and strips, and the width of a letter, are so many pixels.
DOTS_PER_INCH = 100.0


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels, the origin at the upper left."""

    left: float
    top: float
    width: float
    height: float

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """(left, right, bottom, top), as matplotlib places an image on axes whose y points down."""
        return self.left, self.left + self.width, self.top + self.height, self.top

    def scaled(self, factor: float) -> Box:
        """The box in a unit that is so much smaller."""
        return Box(self.left * factor, self.top * factor, self.width * factor, self.height * factor)

    def within(self, margin: float) -> Box:
        """The box less a margin on every side."""
        return Box(self.left + margin, self.top + margin, self.width - 2 * margin, self.height - 2 * margin)

    def contains(self, x: float, y: float) -> bool:
        """Whether a point lies inside."""
        return self.left <= x <= self.left + self.width and self.top <= y <= self.top + self.height


def caption_height(lines: int) -> int:
    """The pixels that so many lines take below a picture."""
    return 10 + lines * CAPTION_LINE


def grid(count: int, width: float, height: float, aspect: float, caption: float) -> list[Box]:
    """``count`` equal boxes that show pictures of this aspect (width / height) largest, each above a caption."""
    best: tuple[float, int] = (0.0, 1)
    for columns in range(1, count + 1):
        rows = -(-count // columns)
        box_width = (width - GAP * (columns + 1)) / columns
        box_height = (height - GAP) / rows - caption - GAP
        best = max(best, (min(box_width, box_height * aspect), columns), key=lambda pair: pair[0])
    columns = best[1]
    rows = -(-count // columns)
    box_width = (width - GAP * (columns + 1)) / columns
    box_height = max(40.0, (height - GAP) / rows - caption - GAP)
    return [
        Box(
            GAP + number % columns * (box_width + GAP),
            GAP + number // columns * (box_height + caption + GAP),
            box_width,
            box_height,
        )
        for number in range(count)
    ]


def fitted(box: Box, image_width: int, image_height: int) -> Box:
    """The largest box of the image's shape in the middle of ``box``, enlarged four times at most."""
    scale = min(box.width / image_width, box.height / image_height, 4.0)
    width, height = image_width * scale, image_height * scale
    return Box(box.left + (box.width - width) / 2, box.top + (box.height - height) / 2, width, height)


def pages(count: int) -> int:
    """How many pages a set of ``count`` pictures takes."""
    return max(1, -(-count // PICTURES_PER_PAGE))


def middle_part(height: float) -> tuple[float, float]:
    """(bottom, height) of the pictures' part, as shares of a window's height; some of it is left in the smallest."""
    bottom, top = min(FOOTING / height, 0.45), min(HEADING / height, 0.2)
    return bottom, 1.0 - bottom - top
