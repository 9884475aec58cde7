"""Where pictures go in the window: inside it, apart from each other, in their own shape."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.review.layout import PICTURES_PER_PAGE, Box, caption_height, fitted, grid, pages

WINDOWS = [(1300, 656), (640, 480), (480, 900), (3840, 1600), (401, 503), (1000, 350), (333.3, 777.7)]
ROUNDING = 1e-6
CAPTION = caption_height(4)


def overlap(one: Box, two: Box) -> bool:
    return (
        one.left < two.left + two.width - ROUNDING
        and two.left < one.left + one.width - ROUNDING
        and one.top < two.top + two.height - ROUNDING
        and two.top < one.top + one.height - ROUNDING
    )


def with_caption(box: Box) -> Box:
    return Box(box.left, box.top, box.width, box.height + CAPTION)


@pytest.mark.parametrize("window", [(1300, 656), (1920, 900), (2560, 1200), (1024, 1000)], ids=str)
@pytest.mark.parametrize("count", range(1, PICTURES_PER_PAGE + 1))
def test_pictures_and_captions_lie_inside_the_window_and_apart(count: int, window: tuple[int, int]) -> None:
    boxes = [with_caption(box) for box in grid(count, *window, aspect=1.0, caption=CAPTION)]
    assert len(boxes) == count
    for box in boxes:
        assert box.left >= 0
        assert box.top >= 0
        assert box.left + box.width <= window[0] + ROUNDING
        assert box.top + box.height <= window[1] + ROUNDING
    assert not [pair for pair in combinations(boxes, 2) if overlap(*pair)]


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("count", range(1, PICTURES_PER_PAGE + 1))
def test_in_any_window_no_two_pictures_overlap_and_none_is_cut_at_the_side(
    count: int, window: tuple[float, float]
) -> None:
    boxes = grid(count, *window, aspect=1.0, caption=CAPTION)
    assert len(boxes) == count
    assert all(box.width > 0 and box.height > 0 for box in boxes)
    assert all(box.left >= 0 and box.left + box.width <= window[0] + ROUNDING for box in boxes)
    assert not [pair for pair in combinations(map(with_caption, boxes), 2) if overlap(*pair)]


@settings(max_examples=300, deadline=None)
@given(
    count=st.integers(1, PICTURES_PER_PAGE),
    width=st.floats(64, 8000),
    height=st.floats(1, 8000),
    aspect=st.floats(0.2, 5.0),
)
def test_every_box_has_a_size_in_any_window_however_small(
    count: int, width: float, height: float, aspect: float
) -> None:
    boxes = grid(count, width, height, aspect, CAPTION)
    assert len(boxes) == count
    assert all(box.width > 0 and box.height > 0 for box in boxes)
    assert len({(box.width, box.height) for box in boxes}) == 1


def test_the_pictures_read_from_left_to_right_and_down() -> None:
    boxes = grid(7, 1300, 656, 1.0, CAPTION)
    assert boxes == sorted(boxes, key=lambda box: (box.top, box.left))


@pytest.mark.parametrize(("aspect", "shape"), [(1.5, "landscape"), (0.6, "portrait")])
def test_two_pictures_are_shown_as_large_as_their_shape_allows(aspect: float, shape: str) -> None:
    def shown(window: tuple[int, int]) -> float:
        box = grid(2, *window, aspect, CAPTION)[0]
        inside = fitted(box, round(1000 * aspect), 1000)
        return inside.width * inside.height

    wide, tall = grid(2, 1400, 700, aspect, CAPTION), grid(2, 700, 1400, aspect, CAPTION)
    assert wide[0].top == wide[1].top, "side by side in a wide window"
    assert tall[0].left == tall[1].left, "one above the other in a tall one"
    assert shown((1400, 700)) > 0.2 * 1400 * 700


@settings(max_examples=300, deadline=None)
@given(
    box=st.builds(Box, st.floats(0, 2000), st.floats(0, 2000), st.floats(20, 3000), st.floats(20, 3000)),
    width=st.integers(1, 10_000),
    height=st.integers(1, 10_000),
)
def test_a_fitted_picture_keeps_its_aspect_lies_in_the_middle_and_is_not_cut(box: Box, width: int, height: int) -> None:
    inside = fitted(box, width, height)
    assert inside.width / inside.height == pytest.approx(width / height)
    assert inside.width <= box.width + ROUNDING
    assert inside.height <= box.height + ROUNDING
    assert inside.left + inside.width / 2 == pytest.approx(box.left + box.width / 2)
    assert inside.top + inside.height / 2 == pytest.approx(box.top + box.height / 2)
    touches = inside.width == pytest.approx(box.width) or inside.height == pytest.approx(box.height)
    assert touches or inside.width == pytest.approx(4 * width), "as large as fits, enlarged four times at most"


def test_an_icon_is_enlarged_four_times_and_no_more() -> None:
    assert fitted(Box(0, 0, 1000, 1000), 16, 16) == Box(468, 468, 64, 64)


def test_a_point_belongs_to_the_box_it_lies_in() -> None:
    box = Box(10, 20, 30, 40)
    assert box.contains(10, 20)
    assert box.contains(40, 60)
    assert not box.contains(9, 30)
    assert not box.contains(20, 61)


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (12, 1), (13, 2), (24, 2), (25, 3), (1000, 84)])
def test_a_large_set_takes_several_pages(count: int, expected: int) -> None:
    assert pages(count) == expected
