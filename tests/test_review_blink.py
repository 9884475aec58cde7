"""A picture compared with its keeper in the review window: blinking, and what differs. Neither can decide anything."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT, picture
from PIL import Image, ImageDraw, ImageOps
from review_sets import found_of
from window_driver import (
    Opener,
    border,
    click,
    click_button,
    colours_are_the_plan,
    middle,
    pictures_drawn,
    pixels,
    press,
    settle,
    texts,
    toolkit,
)

from dedup.review.overlay import highlighted, laid_on, share_differing
from dedup.review.session import ReviewSession
from dedup.review.window import ReviewWindow
from dedup.tiers import EDITED, LOOK_ALIKE, SAME_PICTURE

on_a_display = pytest.mark.skipif(
    sys.platform.startswith("linux") and not os.environ.get("DISPLAY"), reason="needs a display (run under xvfb-run)"
)
WHITE = (255, 255, 255)


def captioned(image: Image.Image) -> Image.Image:
    """The picture with a white bar over its lowest fifth."""
    changed = image.copy()
    ImageDraw.Draw(changed).rectangle((0, image.height * 4 // 5, image.width, image.height), fill=WHITE)
    return changed


@pytest.fixture
def session(folder: Path) -> ReviewSession:
    """A set of a picture, a captioned, a smaller and another picture; and a set of two more."""
    original = picture(1, (640, 480))
    images = {
        "original.png": original,
        "captioned.png": captioned(original),
        "smaller.png": original.resize((320, 240), Image.Resampling.LANCZOS),
        "another.png": picture(2, (640, 480)),
        "second.png": picture(3),
        "second too.png": picture(3),
    }
    for name, image in images.items():
        image.save(folder / name)
    first = [
        "original.png",
        ("captioned.png", EDITED, "differs in the lower third"),
        ("smaller.png", SAME_PICTURE, ""),
        ("another.png", LOOK_ALIKE, ""),
    ]
    return ReviewSession(found_of(folder, [first, ["second.png", "second too.png"]], marked=[SAME_PICTURE]))


def shows_the_caption(window: ReviewWindow) -> bool:
    """Whether the lowest part of the picture shown large is white."""
    area = window.figure.axes[0].bbox
    row = round(float(window.figure.bbox.height) - area.y0) - 12
    return tuple(pixels(window)[row, round(area.width / 2)]) == WHITE


def wait_until(window: ReviewWindow, true: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Whether something comes true while the window's own clock runs."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        settle(window)
        if true():
            return True
        time.sleep(0.02)
    return False


def state(session: ReviewSession) -> object:
    return session.position, session.where, [(one.keeper, set(one.marked), one.not_duplicates) for one in session.sets]


@on_a_display
def test_b_blinks_between_the_picture_pointed_at_and_its_keeper(session: ReviewSession, opened: Opener) -> None:
    window = opened(session)
    press(window, "b", middle(window, 1))
    assert pictures_drawn(window) == 1
    assert window.boxes == {}
    assert "2 captioned.png" in texts(window)
    assert shows_the_caption(window)
    for _ in range(2):
        assert wait_until(window, lambda: "the KEEPER, 1 original.png" in texts(window)), "it blinks by itself"
        assert not shows_the_caption(window)
        assert wait_until(window, lambda: "2 captioned.png" in texts(window))
        assert shows_the_caption(window)


@on_a_display
def test_it_blinks_about_every_600_ms(session: ReviewSession, opened: Opener) -> None:
    window = opened(session)
    press(window, "b", middle(window, 1))
    assert wait_until(window, lambda: "KEEPER" in texts(window))
    started = time.monotonic()
    assert wait_until(window, lambda: "KEEPER" not in texts(window))
    assert 0.3 < time.monotonic() - started < 2.0


@on_a_display
def test_space_shows_the_other_of_the_two_at_once(
    session: ReviewSession, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dedup.review.blink.BLINK_MS", 1_000_000)
    window = opened(session)
    press(window, "b", middle(window, 1))
    for keeper in (True, False, True):
        press(window, "space")
        assert ("KEEPER" in texts(window)) == keeper
        assert shows_the_caption(window) != keeper
    assert session.sets[0].marked == {2}, "space decides nothing here"


@on_a_display
@pytest.mark.parametrize("view", ["b", "d"])
@pytest.mark.parametrize("key", ["same", "Escape", "q"])
def test_the_same_key_and_escape_go_back_to_the_set(
    session: ReviewSession, opened: Opener, view: str, key: str
) -> None:
    from matplotlib import pyplot

    window = opened(session)
    press(window, view, middle(window, 1))
    assert pictures_drawn(window) == 1
    press(window, view if key == "same" else key)
    assert pyplot.fignum_exists(window.figure.number)
    assert pictures_drawn(window) == 4
    colours_are_the_plan(window)
    shown = texts(window)
    assert "captioned" not in shown
    assert not wait_until(window, lambda: texts(window) != shown, 0.9), "nothing blinks any more"


@on_a_display
@pytest.mark.parametrize("view", ["b", "d"])
def test_no_key_and_no_click_decides_anything_while_two_are_compared(
    session: ReviewSession, opened: Opener, view: str
) -> None:
    window = opened(session)
    spots = [middle(window, number) for number in range(4)]
    press(window, view, spots[1])
    before, shown = state(session), pictures_drawn(window)
    for key in (*"123456789knzmf", "Right", "Left", "Next", "Prior", "space", "Return"):
        press(window, key, spots[2])
        assert state(session) == before, key
        assert pictures_drawn(window) == shown == 1, key
    for spot in spots:
        click(window, spot)
        click(window, spot, button=3)
    for button in ("previous", "next"):
        click_button(window, button)
    assert state(session) == before
    assert "captioned" in texts(window) or "KEEPER" in texts(window)
    press(window, "Escape")
    assert state(session) == before
    press(window, "2")
    assert border(window, 1) == "red"


@on_a_display
def test_d_shows_what_differs_in_red_and_how_much(session: ReviewSession, opened: Opener) -> None:
    window = opened(session)
    press(window, "d", middle(window, 1))
    red = (pixels(window)[..., 0].astype(int) - pixels(window)[..., 1]) > 80
    area = window.figure.axes[0].bbox
    top, bottom = round(window.figure.bbox.height - area.y1), round(window.figure.bbox.height - area.y0)
    rows = red[top:bottom].mean(axis=1)
    assert rows[: round(0.75 * len(rows))].max() < 0.02, "the upper part is the same"
    assert rows[round(0.85 * len(rows)) : -3].min() > 0.3, "the bar is red"
    line = texts(window)
    share = float(line.split("on the keeper: ")[1].split(" %")[0])
    assert 12 < share < 25
    assert "differs in the lower third" in line


@on_a_display
def test_d_says_when_nothing_differs(session: ReviewSession, opened: Opener) -> None:
    window = opened(session)
    press(window, "d", middle(window, 2))
    assert "3 smaller.png on the keeper: nothing differs" in texts(window)
    shown = pixels(window)[80:300].astype(int)
    assert (shown.max(axis=2) - shown.min(axis=2)).max() < 12, "grey all over"


@on_a_display
def test_one_view_leads_to_the_other(session: ReviewSession, opened: Opener) -> None:
    window = opened(session)
    press(window, "z", middle(window, 1))
    press(window, "b")
    assert "Shown: 2 captioned.png" in texts(window)
    assert not window.zoomed
    press(window, "d")
    assert "2 captioned.png on the keeper" in texts(window)
    shown = texts(window)
    assert not wait_until(window, lambda: texts(window) != shown, 0.9), "the difference does not blink"
    press(window, "b")
    assert "Shown: 2 captioned.png" in texts(window)
    press(window, "b")
    assert pictures_drawn(window) == 4


@on_a_display
@pytest.mark.parametrize("keeper", [0, 1])
def test_of_the_keeper_the_first_other_picture_is_compared(session: ReviewSession, opened: Opener, keeper: int) -> None:
    window = opened(session)
    if keeper:
        press(window, "k", middle(window, keeper))
    press(window, "d", middle(window, keeper))
    assert f"{2 - keeper} {['original', 'captioned'][1 - keeper]}.png on the keeper" in texts(window)


@on_a_display
@pytest.mark.parametrize("view", ["b", "d"])
def test_pictures_that_cannot_be_aligned_stay_as_they_are_shown(
    session: ReviewSession, opened: Opener, view: str
) -> None:
    window = opened(session)
    before = state(session)
    press(window, view, middle(window, 3))
    assert "4 another.png and the keeper cannot be aligned" in texts(window)
    assert pictures_drawn(window) == 4
    colours_are_the_plan(window)
    assert state(session) == before
    press(window, "2")
    assert session.current.marked == {1, 2}, "the keys decide as before"


@on_a_display
def test_a_file_that_is_gone_or_broken_is_named_as_such(session: ReviewSession, opened: Opener) -> None:
    window = opened(session)
    session.current.pictures[1].full_path.unlink()
    session.current.pictures[2].full_path.write_bytes(b"broken")
    for number, view in ((1, "b"), (2, "d")):
        press(window, view, middle(window, number))
        assert "cannot be compared" in texts(window)
        assert session.current.pictures[number].path in texts(window)
        assert pictures_drawn(window) == 4


@on_a_display
def test_a_window_of_another_size_still_blinks(session: ReviewSession, opened: Opener) -> None:
    window = opened(session)
    press(window, "b", middle(window, 1))
    toolkit(window).winfo_toplevel().geometry("900x700")
    assert wait_until(window, lambda: round(window.figure.bbox.width) == 900)
    assert wait_until(window, lambda: "KEEPER" in texts(window))
    assert pictures_drawn(window) == 1


# -- what is laid on what ---------------------------------------------------------------------


def aligned_share(folder: Path, keeper: Image.Image, other: Image.Image) -> float:
    keeper.save(folder / "keeper.png")
    other.save(folder / "other.png")
    aligned = laid_on(folder / "keeper.png", folder / "other.png")
    assert aligned is not None
    assert aligned.keeper.shape == aligned.other.shape == highlighted(aligned).shape
    return share_differing(aligned)


def test_a_mirrored_picture_is_laid_on_its_keeper_the_right_way_round(folder: Path) -> None:
    original = picture(1, (640, 480))
    assert aligned_share(folder, original, ImageOps.mirror(original)) < 0.01


def test_only_the_area_both_show_counts(folder: Path) -> None:
    # Each lacks a third of the other; what they share is the same but for a bar.
    chance = np.random.default_rng(4)
    cells = Image.fromarray(chance.integers(0, 256, (48, 90, 3), dtype=np.uint8))
    whole = cells.resize((900, 480), Image.Resampling.BICUBIC)
    left, right = whole.crop((0, 0, 640, 480)), whole.crop((260, 0, 900, 480))
    assert aligned_share(folder, left, right) < 0.1
    aligned = laid_on(folder / "keeper.png", folder / "other.png")
    assert aligned is not None
    shown = highlighted(aligned).astype(int)
    reddish = (shown[..., 0] - shown[..., 1] > 60).mean()
    assert reddish < 0.1, "what one of them lacks is not shown as a difference"
    ImageDraw.Draw(right).rectangle((200, 0, 299, 480), fill=WHITE)
    assert aligned_share(folder, left, right) == pytest.approx(100 / 380, abs=0.05), "not 100 of 640"


def test_the_red_stands_out_from_black_and_from_white(folder: Path) -> None:
    original = picture(1, (640, 480))
    for shade in ((0, 0, 0), WHITE):
        changed = original.copy()
        ImageDraw.Draw(changed).rectangle((0, 400, 640, 480), fill=shade)
        assert 0.05 < aligned_share(folder, original, changed) < 0.3
        aligned = laid_on(folder / "keeper.png", folder / "other.png")
        assert aligned is not None
        shown = highlighted(aligned)[aligned.difference].astype(int)
        assert np.median(shown[:, 0] - shown[:, 1]) > 90


def test_opening_the_review_does_not_load_opencv() -> None:
    code = "import sys, dedup.review.window, dedup.review.terminal; sys.exit('cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0
