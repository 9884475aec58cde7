"""The tiers in the review window: why each picture is here, one tier shown alone, all of a tier marked at once."""

from __future__ import annotations

import os
import sys
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import save_picture
from review_sets import Row, found_of
from window_driver import (
    Opener,
    border,
    captions,
    click_button,
    colours_are_the_plan,
    middle,
    pixels,
    press,
    texts,
    toolkit,
)

from dedup.review.session import ReviewSession
from dedup.review.window import ReviewWindow
from dedup.tiers import EDITED, IDENTICAL, LOOK_ALIKE, SAME_PICTURE
from dedup.wording import how_similar

pytestmark = pytest.mark.skipif(
    sys.platform.startswith("linux") and not os.environ.get("DISPLAY"), reason="needs a display (run under xvfb-run)"
)
LONG = "the same picture, edited, 50 % size, cropped (56 % of the frame), brighter"


def session_of(folder: Path, *sets: list[tuple[str, str]]) -> ReviewSession:
    """Sets of a keeper and pictures of these tiers and sentences; "same picture" and surer are marked."""
    rows: list[list[str | Row]] = []
    for number, others in enumerate(sets):
        names = [f"set {number} picture {place}.jpg" for place in range(len(others) + 1)]
        for place, name in enumerate(names):
            save_picture(folder / name, 10 * number + place, (160, 120))
        tiers = [(name, tier, remark) for name, (tier, remark) in zip(names[1:], others, strict=True)]
        rows.append([names[0], *tiers])
    return ReviewSession(found_of(folder, rows, marked=[IDENTICAL, SAME_PICTURE]))


@pytest.fixture
def session(folder: Path) -> ReviewSession:
    return session_of(
        folder,
        [(SAME_PICTURE, "the same picture, 50 % size")],
        [(SAME_PICTURE, ""), (EDITED, "the same picture, edited, mirrored")],
        [(IDENTICAL, "the same bytes")],
        [(EDITED, LONG), (EDITED, "")],
    )


def test_below_each_picture_stand_its_tier_and_why(session: ReviewSession, opened: Opener) -> None:
    window = opened(session, (13, 8.2))
    press(window, "Right")
    shown = captions(window)
    assert f"REMOVE   {how_similar(session.match(1))}" in shown
    assert f"KEEP   {how_similar(session.match(2))}" in shown
    assert "edited" in how_similar(session.match(2))
    assert "the same picture, edited, mirrored" in shown


def test_a_long_sentence_is_told_in_full_on_several_lines(folder: Path, opened: Opener) -> None:
    window = opened(session_of(folder, [(EDITED, LONG)] * 8), (13, 8.2))
    assert LONG in captions(window).replace("\n", " ")
    assert LONG not in captions(window)


@pytest.mark.parametrize("pictures", [2, 3, 9, 12])
def test_words_and_pictures_keep_out_of_each_others_way(folder: Path, opened: Opener, pictures: int) -> None:
    others = [(EDITED, LONG), (SAME_PICTURE, "the same picture, 50 % size"), (LOOK_ALIKE, "looks alike; not the same")]
    window = opened(session_of(folder, [others[number % 3] for number in range(pictures - 1)]), (13, 8.2))
    figure, axes = window.figure, window.figure.axes[0]
    area = axes.bbox
    boxes = list(window.boxes.values())
    frames = [
        (area.x0 + box.left, area.y1 - box.top - box.height, area.x0 + box.left + box.width, area.y1 - box.top)
        for box in boxes
    ]
    words = [text.get_window_extent().extents for text in (*axes.texts, *figure.texts) if text.get_text()]
    buttons = [button.ax.bbox.extents for button in (window.previous, window.next)]
    for (one, two), what in [
        *[(pair, "words and words") for pair in combinations(words, 2)],
        *[((frame, word), "a picture and words") for frame in frames for word in words],
        *[((button, word), "a button and words") for button in buttons for word in [*words[:-1], *frames]],
    ]:
        apart = one[2] <= two[0] + 1 or two[2] <= one[0] + 1 or one[3] <= two[1] + 1 or two[3] <= one[1] + 1
        assert apart, f"{what}: {one} {two}"
    for left, bottom, right, top in [*frames, *words]:
        assert left >= 0
        assert bottom >= 0
        assert right <= figure.bbox.width
        assert top <= figure.bbox.height
    for text in axes.texts:
        left, bottom, right, top = (round(value) for value in text.get_window_extent().extents)
        drawn = pixels(window)[round(figure.bbox.height) - top : round(figure.bbox.height) - bottom, left:right]
        assert np.ptp(drawn.astype(int), axis=(0, 1)).max() > 50, f"nothing is to be seen of {text.get_text()!r}"


def test_in_a_narrow_window_a_caption_is_cut_at_the_end_of_its_picture(folder: Path, opened: Opener) -> None:
    window = opened(session_of(folder, [(EDITED, LONG)] * 8), (7, 5))
    area, shown = window.figure.axes[0].bbox, pixels(window)
    boxes = sorted(window.boxes.values(), key=lambda box: box.left)
    assert len({box.top for box in boxes}) == 1
    top = round(window.figure.bbox.height - area.y1 + boxes[0].top + boxes[0].height) + 8
    for one, two in pairwise(boxes):
        gap = shown[top : top + 100, round(one.left + one.width) + 3 : round(two.left) - 1]
        assert gap.size
        assert np.ptp(gap.astype(int), axis=(0, 1)).max() == 0, "the room between two captions is empty"


def headings(window: ReviewWindow) -> str:
    return texts(window).split("\n")[0]


def test_f_shows_one_tier_after_the_other_and_then_all(session: ReviewSession, opened: Opener) -> None:
    window = opened(session)
    before = [(one.keeper, set(one.marked)) for one in session.sets]
    seen = []
    for _ in range(4):
        press(window, "f")
        seen.append(headings(window))
        colours_are_the_plan(window)
    assert seen == [
        "Duplicate Set 1 of 1 (identical file only)",
        "Duplicate Set 1 of 2 (same picture only)",
        "Duplicate Set 1 of 2 (edited only)",
        "Duplicate Set 2 of 4",
    ]
    assert [(one.keeper, set(one.marked)) for one in session.sets] == before


def test_with_one_tier_shown_keys_and_buttons_step_through_its_sets(session: ReviewSession, opened: Opener) -> None:
    window = opened(session)
    for _ in range(3):
        press(window, "F")
    assert "3 pictures in 2 sets" in texts(window)
    assert session.position == 1
    press(window, "Right")
    assert (session.position, headings(window)) == (3, "Duplicate Set 2 of 2 (edited only)")
    assert "set 3 picture 2.jpg" in captions(window)
    click_button(window, "next")
    assert (session.position, "last set" in texts(window)) == (3, True)
    click_button(window, "previous")
    assert session.position == 1
    assert "set 2 of 4" not in toolkit(window).winfo_toplevel().title()
    assert "1 of 2 (edited only)" in toolkit(window).winfo_toplevel().title()


def test_the_totals_count_what_a_filter_hides(session: ReviewSession, opened: Opener) -> None:
    window = opened(session)
    total = next(line for line in texts(window).split("\n") if line.startswith("to remove"))
    press(window, "f")
    assert total in texts(window)
    assert total.startswith("to remove: 3 files")


def marks(session: ReviewSession) -> list[set[int]]:
    return [one.marked for one in session.sets]


def test_m_unmarks_what_was_proposed_and_marks_it_again(session: ReviewSession, opened: Opener) -> None:
    window = opened(session)
    press(window, "m", middle(window, 1))
    assert "No longer marked: 2 pictures in 2 sets" in texts(window)
    assert marks(session) == [set(), set(), {1}, set()]
    colours_are_the_plan(window)
    press(window, "m", middle(window, 1))
    assert "Marked for removal: 2 pictures in 2 sets" in texts(window)
    assert marks(session) == [{1}, {1}, {1}, set()]
    colours_are_the_plan(window)


def test_m_asks_before_it_marks_what_was_not_proposed(session: ReviewSession, opened: Opener) -> None:
    window = opened(session)
    press(window, "Right")
    press(window, "m", middle(window, 2))
    assert "would mark 3 pictures in 2 sets" in texts(window)
    assert "M again" in texts(window)
    assert marks(session) == [{1}, {1}, {1}, set()]
    press(window, "m", middle(window, 2))
    assert "Marked for removal: 3 pictures in 2 sets" in texts(window)
    assert marks(session) == [{1}, {1, 2}, {1}, {1, 2}]
    assert border(window, 2) == "red"
    colours_are_the_plan(window)
    press(window, "m", middle(window, 2))
    assert marks(session) == [{1}, {1}, {1}, set()]
    colours_are_the_plan(window)


@pytest.mark.parametrize("between", ["Right", "1", "k", "n", "z", "f"])
def test_the_question_is_asked_again_after_any_other_key(session: ReviewSession, opened: Opener, between: str) -> None:
    window = opened(session)
    press(window, "Right")
    press(window, "m", middle(window, 2))
    for key in [between, *{"Right": ["Left"], "n": ["n"], "z": ["z"], "f": ["f"] * 3}.get(between, [])]:
        press(window, key)
    assert session.position == 1
    before = [set(one) for one in marks(session)]
    press(window, "m", middle(window, 2))
    assert "would mark" in texts(window)
    assert marks(session) == before


def test_the_question_about_one_tier_is_no_answer_for_another(folder: Path, opened: Opener) -> None:
    session = session_of(folder, [(EDITED, ""), (LOOK_ALIKE, "")])
    window = opened(session)
    press(window, "m", middle(window, 1))
    press(window, "m", middle(window, 2))
    assert session.current.marked == set()
    assert f'"{LOOK_ALIKE}"' in texts(window)
    press(window, "m", middle(window, 2))
    assert session.current.marked == {2}


def test_m_on_the_keeper_means_the_tier_shown_or_the_first_other_picture(
    session: ReviewSession, opened: Opener
) -> None:
    window = opened(session)
    press(window, "Right")
    press(window, "m", middle(window, 0))
    assert f'"{SAME_PICTURE}"' in texts(window)
    for _ in range(3):
        press(window, "f")
    press(window, "m")
    assert f'"{EDITED}"' in texts(window)


def test_m_and_f_do_nothing_in_the_zoom(session: ReviewSession, opened: Opener) -> None:
    window = opened(session)
    press(window, "z", middle(window, 1))
    before, shown = [set(one) for one in marks(session)], texts(window)
    for key in ("m", "m", "f"):
        press(window, key)
    assert marks(session) == before
    assert (session.where, texts(window)) == ("1 of 4", shown)


@pytest.mark.parametrize(("key", "told"), [("2", "stays"), ("k", "is the keeper now"), ("n", "Not duplicates")])
def test_a_decision_in_the_zoom_is_told_there(session: ReviewSession, opened: Opener, key: str, told: str) -> None:
    window = opened(session)
    press(window, "z", middle(window, 1))
    assert "50 % size" in texts(window), "the zoom tells why, too"
    press(window, key)
    assert told in texts(window)
    press(window, "Right")
    assert told not in texts(window) or key == "2"
    assert "magnify" in texts(window)


def test_a_picture_that_does_not_match_the_keeper_has_no_tier(folder: Path, opened: Opener) -> None:
    session = session_of(folder, [(EDITED, ""), (EDITED, "")])
    whole: Any = session.found.relation
    first = session.current.pictures[0]
    session.found.relation = lambda one, two: whole(one, two) if first in (one, two) else None
    session.make_keeper(1)
    window = opened(session)
    press(window, "m", middle(window, 2))
    assert "no tier" in texts(window)
    assert "no direct match" in captions(window)
