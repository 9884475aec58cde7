"""The review window itself, on a real display: keys and clicks go in, pixels come out."""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import find, index, resaved, save_picture
from review_sets import copies
from window_driver import (
    Opener,
    border,
    captions,
    click,
    click_button,
    colours_are_the_plan,
    corner,
    height,
    middle,
    one_set,
    pictures_drawn,
    pixels,
    plain,
    press,
    settle,
    texts,
    toolkit,
)

from dedup.keep import KeepRule
from dedup.review.session import ReviewSession
from dedup.review.window import review_in_window
from dedup.wording import dimensions, how_similar, size

pytestmark = pytest.mark.skipif(
    sys.platform.startswith("linux") and not os.environ.get("DISPLAY"), reason="needs a display (run under xvfb-run)"
)
CARD = (90, 90, 90)


def test_the_colours_are_the_plan_through_every_decision(folder: Path, opened: Opener) -> None:
    window = opened(copies(folder, 2))
    colours_are_the_plan(window)
    assert [border(window, number) for number in range(3)] == ["green", "red", "red"]
    for key in ("2", "3", "k", "1", "n", "n", "space", "2", "3"):
        press(window, key)
        colours_are_the_plan(window)
    click(window, middle(window, 2), button=3)
    colours_are_the_plan(window)
    assert border(window, 2) == "green"
    decided = set(window.session.current.marked)
    press(window, "Right")
    colours_are_the_plan(window)
    press(window, "Left")
    colours_are_the_plan(window)
    assert window.session.current.marked == decided


@pytest.mark.parametrize("kept", [None, "one", "two"])
def test_the_colours_follow_the_strategy(tmp_path: Path, opened: Opener, kept: str | None) -> None:
    # Fault 8: whatever strategy was chosen, the reviewer drew the largest file green.
    one, two = tmp_path / "one", tmp_path / "two"
    save_picture(one / "large.jpg", 1, (640, 480))
    resaved(one / "large.jpg", two / "small.jpg", 0.5)
    save_picture(two / "large too.jpg", 2, (640, 480))
    resaved(two / "large too.jpg", one / "small too.jpg", 0.5)
    for folder in (one, two):
        index(folder)
    rule = KeepRule((tmp_path / kept,)) if kept else KeepRule()
    window = opened(ReviewSession(find(one, two, threshold=0.95, rule=rule, mark="all")))
    drawn = {}
    for _ in range(2):
        colours_are_the_plan(window)
        for number, picture in enumerate(window.session.current.pictures):
            drawn[picture.full_path.name] = border(window, number)
        press(window, "Right")
    red = {
        None: {"small.jpg", "small too.jpg"},
        "one": {"small.jpg", "large too.jpg"},
        "two": {"large.jpg", "small too.jpg"},
    }[kept]
    assert {name for name, colour in drawn.items() if colour == "red"} == red
    assert len(drawn) == 4


def test_each_picture_is_drawn_above_its_own_name(folder: Path, opened: Opener) -> None:
    colours = {"red.png": (200, 30, 40), "blue.png": (20, 60, 210), "yellow.png": (230, 210, 30), "grey.png": (60,) * 3}
    window = opened(one_set(folder, {name: plain(colour) for name, colour in colours.items()}))
    for number, picture in enumerate(window.session.current.pictures):
        column, row = middle(window, number)
        assert tuple(pixels(window)[row, column]) == colours[picture.path]


def test_arrow_keys_and_buttons_step_through_the_sets(folder: Path, opened: Opener) -> None:
    window = opened(copies(folder, 3))
    assert "Duplicate Set 1 of 3" in texts(window)
    press(window, "Left")
    assert "first set" in texts(window)
    for number, go in [(2, "Right"), (3, "Right"), (3, "Right"), (2, "Left")]:
        press(window, go)
        assert f"Duplicate Set {number} of 3" in texts(window)
        assert window.session.position == number - 1
        shown = window.session.current.pictures
        assert all(picture.full_path.name in captions(window) for picture in shown)
    click_button(window, "next")
    assert "Duplicate Set 3 of 3" in texts(window)
    click_button(window, "next")
    assert "last set" in texts(window)
    for number in (2, 1, 1):
        click_button(window, "previous")
        assert f"Duplicate Set {number} of 3" in texts(window)


def test_clicks_and_numbers_switch_the_picture_they_mean(folder: Path, opened: Opener) -> None:
    window = opened(copies(folder, 1))
    for number in (1, 2):
        click(window, middle(window, number))
        assert window.session.current.marked == {1, 2} - {number}
        press(window, str(number + 1))
        assert window.session.current.marked == {1, 2}
    left, top = corner(window, 2)
    box = window.boxes[2]
    for at in ((left + 3, top + 3), (left + box.width - 3, top + box.height - 3)):
        before = set(window.session.current.marked)
        click(window, (round(at[0]), round(at[1])))
        assert window.session.current.marked ^ before == {2}
    assert "3 " in texts(window)


def test_clicks_beside_the_pictures_and_unknown_keys_decide_nothing(folder: Path, opened: Opener) -> None:
    window = opened(copies(folder, 2))
    left, top = corner(window, 0)
    for at in ((3, 3), (round(left) - 6, round(top) + 30), (round(height(window)), round(height(window)) - 4)):
        click(window, at)
        click(window, at, button=3)
    for key in ("9", "0", "x", "l", "s", "h", "r", "Return", "Tab", "Shift_L", "F5"):
        press(window, key)
    assert (window.session.current.keeper, window.session.current.marked) == (0, {1, 2})
    assert window.session.position == 0
    colours_are_the_plan(window)


def test_the_last_picture_cannot_be_made_red(folder: Path, opened: Opener) -> None:
    window = opened(copies(folder, 1))
    click(window, middle(window, 0))
    assert border(window, 0) == "green"
    assert "always stays" in texts(window)


def test_k_and_the_right_button_make_the_picture_under_the_pointer_the_keeper(folder: Path, opened: Opener) -> None:
    window = opened(copies(folder, 1))
    press(window, "k", middle(window, 2))
    assert (window.session.current.keeper, window.session.current.marked) == (2, {0, 1})
    assert "KEEPER" in captions(window)
    click(window, middle(window, 1), button=3)
    assert (window.session.current.keeper, window.session.current.marked) == (1, {0, 2})
    press(window, "K", middle(window, 0))
    assert (window.session.current.keeper, window.session.current.marked) == (0, {1, 2})
    press(window, "3")
    press(window, "k")
    assert window.session.current.keeper == 2, "the pointer is elsewhere: the picture pressed last"
    colours_are_the_plan(window)


def test_n_calls_the_set_not_duplicates_and_takes_it_back(folder: Path, opened: Opener) -> None:
    window = opened(copies(folder, 2))
    press(window, "n")
    assert [border(window, number) for number in range(3)] == ["green"] * 3
    assert "not duplicates" in texts(window)
    assert len(window.session.not_duplicates()) == 1
    click(window, middle(window, 1))
    assert border(window, 1) == "green"
    press(window, "N")
    assert [border(window, number) for number in range(3)] == ["green", "red", "red"]
    assert window.session.not_duplicates() == []


def test_z_shows_one_picture_in_the_whole_window_and_z_goes_back(folder: Path, opened: Opener) -> None:
    window = opened(copies(folder, 1))
    names = [picture.full_path for picture in window.session.current.pictures]
    press(window, "z", middle(window, 1))
    assert pictures_drawn(window) == 1
    assert str(names[1]) in texts(window)
    assert "to be removed" in texts(window)
    press(window, "Right")
    assert str(names[2]) in texts(window)
    press(window, "Right")
    assert str(names[0]) in texts(window)
    assert "stays" in texts(window)
    click(window, (600, 400))
    assert window.session.current.marked == {1, 2}, "a click in the zoom decides nothing"
    press(window, "Z")
    assert pictures_drawn(window) == 3
    assert "magnify" not in texts(window)
    colours_are_the_plan(window)


def test_a_decision_in_the_zoom_is_shown_there_and_in_the_grid(folder: Path, opened: Opener) -> None:
    window = opened(copies(folder, 1))
    press(window, "z", middle(window, 1))
    press(window, "2")
    assert "stays" in texts(window)
    press(window, "z")
    assert border(window, 1) == "green"
    colours_are_the_plan(window)


def test_the_wheel_brings_a_zoomed_picture_nearer(folder: Path, opened: Opener) -> None:
    window = opened(copies(folder, 1))
    press(window, "z", middle(window, 0))
    before = pixels(window).copy()
    axes = window.figure.axes[0]
    width = abs(np.subtract(*axes.get_xlim()))
    if sys.platform.startswith("linux"):
        toolkit(window).event_generate("<ButtonPress-4>", x=300, y=200)
    else:
        toolkit(window).event_generate("<MouseWheel>", delta=120, x=300, y=200)
    settle(window)
    assert abs(np.subtract(*axes.get_xlim())) == pytest.approx(0.8 * width)
    assert (pixels(window) != before).any()


@pytest.mark.parametrize("key", ["q", "Escape"])
def test_q_and_escape_leave_the_zoom_first_and_then_the_window(folder: Path, opened: Opener, key: str) -> None:
    from matplotlib import pyplot

    window = opened(copies(folder, 1))
    press(window, "z", middle(window, 0))
    press(window, key)
    assert pictures_drawn(window) == 3
    assert pyplot.fignum_exists(window.figure.number)
    toolkit(window).event_generate(f"<Key-{key}>")
    assert not pyplot.fignum_exists(window.figure.number)


def test_captions_show_name_dimensions_size_and_similarity(folder: Path, opened: Opener) -> None:
    window = opened(copies(folder, 1))
    shown = captions(window)
    for number, picture in enumerate(window.session.current.pictures):
        assert f"{number + 1}  {picture.full_path.name}" in shown
        assert dimensions(picture) in shown
        assert size(picture.size) in shown
        if number:
            assert how_similar(window.session.match(number)) in shown
    assert shown.count("KEEPER") == 1
    assert shown.count("REMOVE") == 2
    press(window, "2")
    assert captions(window).count("REMOVE") == 1


def test_the_running_count_is_that_of_the_plan(folder: Path, opened: Opener) -> None:
    window = opened(copies(folder, 2))

    def count() -> str:
        plan = window.session.plan()
        return f"{len(plan.removals)} file" + ("" if len(plan.removals) == 1 else "s") + f", {size(plan.bytes)}"

    assert count().startswith("4 files")
    for key in ("2", "Right", "k", "3", "n", "n", "Left", "3"):
        press(window, key)
        assert count() in texts(window)


def test_stepping_to_a_set_loaded_ahead_is_instant(folder: Path, opened: Opener) -> None:
    window = opened(copies(folder, 6, (1600, 1200)), (13, 8.2))
    for _ in range(5):
        press(window, "Right")
    times = []
    for go in ["Left"] * 5 + ["Right"] * 5:
        started = time.perf_counter()
        toolkit(window).event_generate(f"<Key-{go}>")
        toolkit(window).update()
        times.append(time.perf_counter() - started)
    colours_are_the_plan(window)
    print(f"a step takes {1000 * statistics.median(times):.0f} ms (median of {len(times)})")
    assert statistics.median(times) < 0.4


def test_a_picture_that_vanished_or_broke_meanwhile_is_a_card(folder: Path, opened: Opener) -> None:
    session = copies(folder, 1)
    names = [picture.full_path for picture in session.current.pictures]
    names[1].unlink()
    names[2].write_bytes(b"broken")
    window = opened(session)
    colours_are_the_plan(window)
    for number in (1, 2):
        column, row = middle(window, number)
        assert tuple(pixels(window)[row, column]) == CARD
    for key in ("z", "Right", "Right", "Right", "z", "2"):
        press(window, key, middle(window, 1) if key == "z" and not window.zoomed else (0, 0))
    colours_are_the_plan(window)


ODD_NAMES = [
    "$a_{$ and \\frac{.png",
    "100% $5 and $6_.png",
    "line\nbreak.png",
    "日本語 été 🦊.png",
    "x" * 240 + ".png",
    os.fsdecode(b"caf\xe9 \xff.png"),
    "\x1b[31m\u202egnp.png",
    "  .png",
]


@pytest.mark.filterwarnings("ignore:Glyph")
def test_any_name_can_be_shown_decided_on_and_zoomed(folder: Path, opened: Opener) -> None:
    shades = {name: plain((10, 90, 20 * number)) for number, name in enumerate(["plain.png", *ODD_NAMES])}
    window = opened(one_set(folder, shades))
    for number in range(2, len(shades) + 1):
        press(window, str(number))
    assert window.session.current.marked == set()
    colours_are_the_plan(window)
    press(window, "z")
    for _ in ODD_NAMES:
        press(window, "Right")


def test_a_large_set_is_shown_page_by_page(folder: Path, opened: Opener) -> None:
    shades = {f"{number:02d}.png": plain((5 * number, 40, 80), (60, 40)) for number in range(30)}
    window = opened(one_set(folder, shades))
    assert sorted(window.boxes) == list(range(12))
    colours_are_the_plan(window)
    press(window, "Next")  # Page Down
    assert "page 2 of 3" in texts(window)
    assert sorted(window.boxes) == [0, *range(12, 24)], "the keeper stays in sight"
    assert any("[key 2]" in text.get_text() for axes in window.figure.axes for text in axes.texts)
    press(window, "2")
    assert 12 not in window.session.current.marked
    click(window, middle(window, 23))
    assert 23 not in window.session.current.marked
    colours_are_the_plan(window)
    press(window, "Next")
    press(window, "Next")
    assert sorted(window.boxes) == [0, *range(24, 30)]
    press(window, "9")
    assert len(window.session.current.marked) == 27, "there is no ninth picture on the last page"
    press(window, "Prior")  # Page Up
    colours_are_the_plan(window)


def test_the_zoom_opens_on_the_page_shown(folder: Path, opened: Opener) -> None:
    shades = {f"{number:02d}.png": plain((5 * number, 40, 80), (60, 40)) for number in range(30)}
    window = opened(one_set(folder, shades))
    press(window, "Next")
    press(window, "z", middle(window, 15))
    assert str(folder / "15.png") in texts(window)


@pytest.mark.parametrize("geometry", ["700x900", "1380x400", "160x120"])
def test_the_window_can_have_any_size(folder: Path, opened: Opener, geometry: str) -> None:
    window = opened(copies(folder, 2))
    toolkit(window).winfo_toplevel().geometry(geometry)
    settle(window)
    settle(window)
    width, high = (int(part) for part in geometry.split("x"))
    assert (round(window.figure.bbox.width), round(window.figure.bbox.height)) == (width, high)
    if high > 300:
        colours_are_the_plan(window)
        click(window, middle(window, 1))
        assert 1 not in window.session.current.marked
    press(window, "Right")
    assert window.session.position == 1


def test_what_is_red_at_the_end_is_what_the_confirmation_is_about(folder: Path, opened: Opener) -> None:
    window = opened(copies(folder, 3))
    for key in ("k", "Right", "n", "Right", "2"):
        press(window, key, middle(window, 2) if key == "k" else (0, 0))
    drawn = set()
    for _ in range(3):
        pictures = window.session.current.pictures
        drawn |= {str(pictures[number].full_path) for number in window.boxes if border(window, number) == "red"}
        press(window, "Left")
    assert drawn == {row.file.path for row in window.session.plan().removals}
    assert len(drawn) == 3


# -- review_in_window, driven from inside its own event loop -----------------------------------

STEPS: list[Callable[[Any], object]] = []


def drive(figure: Any) -> None:
    """A figure hook of matplotlib: takes a step now and again once the window has the keyboard."""
    steps = list(STEPS)

    def next_step() -> None:
        widget = figure.canvas.get_tk_widget()
        if widget.focus_displayof() is not widget:
            widget.focus_force()
        elif steps:
            steps.pop(0)(figure)

    figure.timer = figure.canvas.new_timer(interval=60, callbacks=[(next_step, [], {})])
    figure.canvas.mpl_connect("close_event", lambda _: figure.timer.stop())
    figure.timer.start()


@pytest.fixture
def driven(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Callable[[Any], object]]]:
    """The steps to take in the next window that opens; a window left open is closed after the last."""
    import matplotlib

    with matplotlib.rc_context({"figure.hooks": [f"{__name__}:drive"]}):
        STEPS.clear()
        yield STEPS
        STEPS.clear()


def key_of(name: str) -> Callable[[Any], object]:
    def send(figure: Any) -> None:
        figure.canvas.get_tk_widget().event_generate(f"<Key-{name}>")

    return send


def test_the_review_returns_when_the_window_is_closed(
    folder: Path, driven: list[Callable[[Any], object]], capfd: pytest.CaptureFixture[str]
) -> None:
    from matplotlib import pyplot

    session = copies(folder, 2)
    driven += [key_of("2"), key_of("Right"), key_of("n"), lambda figure: pyplot.close(figure)]
    review_in_window(session, "TkAgg")
    assert pyplot.get_fignums() == []
    assert session.sets[0].marked == {2}
    assert session.sets[1].not_duplicates
    assert "Traceback" not in capfd.readouterr().err


def test_the_review_returns_when_q_is_pressed_or_the_window_manager_closes_it(
    folder: Path, driven: list[Callable[[Any], object]], capfd: pytest.CaptureFixture[str]
) -> None:
    session = copies(folder, 1)

    def closed_by_the_frame(figure: Any) -> None:
        top = figure.canvas.get_tk_widget().winfo_toplevel()
        top.tk.call(*top.tk.splitlist(top.protocol("WM_DELETE_WINDOW")) or ("destroy", top))

    for last in (key_of("q"), closed_by_the_frame):
        driven[:] = [key_of("2"), last]
        review_in_window(session, "TkAgg")
    assert session.current.marked == {1, 2}
    assert "Traceback" not in capfd.readouterr().err


def test_a_window_closed_while_it_blinks_leaves_nothing_behind(
    folder: Path, driven: list[Callable[[Any], object]], capfd: pytest.CaptureFixture[str]
) -> None:
    from matplotlib import pyplot

    session = copies(folder, 1)
    seen: list[str] = []

    def look(figure: Any) -> None:
        seen.append("\n".join(text.get_text() for text in figure.texts))

    driven += [key_of("b"), look, lambda figure: pyplot.close(figure)]
    review_in_window(session, "TkAgg")
    driven[:] = [key_of("Left")] * 15 + [lambda figure: pyplot.close(figure)]  # longer than a blink takes
    review_in_window(session, "TkAgg")
    assert "Shown: 2" in seen[0]
    assert session.current.marked == {1, 2}
    errors = capfd.readouterr().err
    assert "Traceback" not in errors
    assert "invalid command" not in errors


def test_matplotlibs_own_keys_do_nothing_in_the_review(
    folder: Path, driven: list[Callable[[Any], object]], capfd: pytest.CaptureFixture[str]
) -> None:
    import matplotlib
    from matplotlib import pyplot

    session = copies(folder, 2)
    seen: list[tuple[str, str]] = []
    keymaps: dict[str, list[str]] = {}

    def look(figure: Any) -> None:
        keymaps.update({name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name.startswith("keymap.")})
        seen.append((figure.axes[0].get_xscale(), figure.axes[0].get_yscale()))

    # Of matplotlib's own, k and l make an axis logarithmic, g draws a grid, f fills the screen.
    driven += [look, key_of("k"), key_of("l"), key_of("g"), key_of("f"), look, lambda figure: pyplot.close(figure)]
    review_in_window(session, "TkAgg")
    assert keymaps
    assert {name: keys for name, keys in keymaps.items() if keys} == {}
    assert seen == [("linear", "linear")] * 2
    assert (session.position, session.current.marked) == (0, {1, 2})
    assert "Traceback" not in capfd.readouterr().err


def test_o_leaves_for_the_folders_and_closes_the_window(folder: Path, opened: Opener) -> None:
    from matplotlib import pyplot

    window = opened(copies(folder, 2))
    before = set(window.session.current.marked)
    press(window, "z")
    press(window, "o")
    assert not window.session.in_folders, "in the zoom the key means nothing"
    press(window, "z")
    window._keys["o"]()  # closes: there is no window left to wait for
    assert window.session.in_folders
    assert not pyplot.fignum_exists(window.figure.number)
    assert window.session.current.marked == before
