"""Drives the review window on a real display for the tests: keys and clicks go in, pixels and words come out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from review_sets import found_of

from dedup.keep import KeepRule
from dedup.review.session import ReviewSession
from dedup.review.window import ReviewWindow

RED, GREEN = (207, 58, 51), (46, 158, 79)
Opener = Callable[..., ReviewWindow]
ERRORS: list[BaseException] = []  # what went wrong inside an event, which the toolkit would only print


@contextmanager
def windows() -> Iterator[Opener]:
    """Opens windows and closes them at the end."""
    import matplotlib

    matplotlib.use("TkAgg")
    from matplotlib import pyplot

    opened: list[ReviewWindow] = []
    ERRORS.clear()

    def open_window(session: ReviewSession, inches: tuple[float, float] = (7, 5)) -> ReviewWindow:
        window = ReviewWindow(pyplot.figure(figsize=inches), session)
        opened.append(window)
        toolkit(window).winfo_toplevel().report_callback_exception = lambda kind, error, trace: ERRORS.append(error)
        window.draw()
        pyplot.show(block=False)
        settle(window)
        return window

    with matplotlib.rc_context({"toolbar": "None"}):
        for name in [name for name in matplotlib.rcParams if name.startswith("keymap.")]:
            matplotlib.rcParams[name] = []
        yield open_window
        for window in opened:
            window.close()
            pyplot.close(window.figure)


def toolkit(window: ReviewWindow) -> Any:
    return window.figure.canvas.get_tk_widget()  # type: ignore[attr-defined]


def settle(window: ReviewWindow) -> None:
    """Let the toolkit deliver what is waiting, the drawing included; an error inside an event comes out here."""
    for _ in range(2):
        toolkit(window).update()
    assert not ERRORS, ERRORS


def height(window: ReviewWindow) -> float:
    return float(window.figure.bbox.height)


def corner(window: ReviewWindow, number: int) -> tuple[float, float]:
    """The upper left corner of a picture's box in the window's pixels, from the upper left."""
    area, box = window.figure.axes[0].bbox, window.boxes[number]
    return area.x0 + box.left, height(window) - area.y1 + box.top


def middle(window: ReviewWindow, number: int) -> tuple[int, int]:
    left, top = corner(window, number)
    box = window.boxes[number]
    return round(left + box.width / 2), round(top + box.height / 2)


def press(window: ReviewWindow, key: str, at: tuple[int, int] = (0, 0)) -> None:
    toolkit(window).focus_force()
    toolkit(window).update()
    toolkit(window).event_generate(f"<Key-{key}>", x=at[0], y=at[1])
    settle(window)


def click(window: ReviewWindow, at: tuple[int, int], button: int = 1) -> None:
    for event in ("ButtonPress", "ButtonRelease"):
        toolkit(window).event_generate(f"<{event}-{button}>", x=at[0], y=at[1])
    settle(window)


def click_button(window: ReviewWindow, name: str) -> None:
    area = getattr(window, name).ax.bbox
    click(window, (round((area.x0 + area.x1) / 2), round(height(window) - (area.y0 + area.y1) / 2)))


def pixels(window: ReviewWindow) -> np.ndarray:
    return np.asarray(window.figure.canvas.buffer_rgba())[:, :, :3]  # type: ignore[attr-defined]


def border(window: ReviewWindow, number: int) -> str:
    """The colour of the frame around a picture, as drawn on its four sides."""
    shown, (left, top), box = pixels(window), corner(window, number), window.boxes[number]
    points = [
        (top + box.height / 2, left),
        (top + box.height / 2, left + box.width),
        (top, left + box.width / 2),
        (top + box.height, left + box.width / 2),
    ]
    names = {RED: "red", GREEN: "green"}
    found = {names.get(tuple(int(value) for value in shown[round(row), round(column)])) for row, column in points}
    assert len(found) == 1, found
    return found.pop() or "none"


def colours_are_the_plan(window: ReviewWindow) -> None:
    """Every frame drawn is red exactly where the plan removes the picture."""
    planned = {row.file.path for row in window.session.plan().removals}
    one = window.session.current
    assert window.boxes
    for number in window.boxes:
        expected = "red" if str(one.pictures[number].full_path) in planned else "green"
        assert border(window, number) == expected, f"picture {number + 1}"
        assert (number in one.marked) == (expected == "red")


def texts(window: ReviewWindow) -> str:
    """The heading, the count and the message."""
    return "\n".join(text.get_text() for text in window.figure.texts)


def captions(window: ReviewWindow) -> str:
    return "\n".join(text.get_text() for text in window.figure.axes[0].texts)


def pictures_drawn(window: ReviewWindow) -> int:
    return len(window.figure.axes[0].images)


def one_set(folder: Path, images: dict[str, Image.Image], rule: KeepRule | None = None) -> ReviewSession:
    """A single set of these pictures, the first proposed as the keeper; all match each other, and all are marked."""
    for name, image in images.items():
        image.save(folder / name, "PNG")
    return ReviewSession(found_of(folder, [list(images)], rule))


def plain(colour: tuple[int, int, int], size: tuple[int, int] = (120, 90)) -> Image.Image:
    return Image.new("RGB", size, colour)
