"""Looking at two pictures: what is the same picture, what an edit of it, and what only looks alike."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from conftest import picture
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from dedup.tiers import EDITED, LOOK_ALIKE, SAME_PICTURE
from dedup.verify.aligned import lay_on
from dedup.verify.concluding import verify
from dedup.verify.look import Look, look_at, size_for
from dedup.verify.verification import Verification, sentence

SIZE = (640, 480)
Change = Callable[[Image.Image], Image.Image]


def photo(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """Coloured noise at many scales with a few things in it: as much to see as in a photograph."""
    chance = np.random.default_rng(seed)
    total = np.zeros((size[1], size[0], 3))
    for cells, weight in ((3, 60), (8, 40), (24, 28), (70, 16), (200, 8)):
        noise = chance.uniform(-1, 1, (cells * size[1] // size[0] + 1, cells, 3))
        part = Image.fromarray(((noise + 1) * 127.5).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
        total += (np.asarray(part) / 127.5 - 1) * weight
    image = Image.fromarray((total * 0.8 + 125).clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, side = (int(chance.integers(0, one)) for one in (size[0], size[1], size[0] // 6))
        draw.ellipse((x, y, x + side, y + side * 0.7), fill=tuple(int(one) for one in chance.integers(0, 256, 3)))
    return image.filter(ImageFilter.GaussianBlur(0.7))


def saved(image: Image.Image, quality: int = 88) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def look(image: Image.Image) -> Look:
    return look_at(image, image.width, image.height)


def compared(first: Image.Image, second: Image.Image) -> Verification:
    return verify(look(first), look(second))


def crop(image: Image.Image, share: float) -> Image.Image:
    x, y = round(image.width * share), round(image.height * share)
    return image.crop((x, y, image.width - x, image.height - y))


def with_words(image: Image.Image) -> Image.Image:
    image = image.copy()
    place = image.width / 2, image.height * 0.88
    ImageDraw.Draw(image).text(place, "WHEN NOBODY ASKED", (255, 255, 255), font_size=44, anchor="mm", stroke_width=2)
    return image


def with_bar(image: Image.Image) -> Image.Image:
    page = Image.new("RGB", (image.width, image.height + 90), (255, 255, 255))
    page.paste(image)
    return page


SAME: dict[str, Change] = {
    "nothing": lambda image: image,
    "jpeg 40": lambda image: saved(image, 40),
    "half size": lambda image: saved(image.resize((320, 240), Image.Resampling.LANCZOS)),
    "twice the size": lambda image: saved(image.resize((1280, 960), Image.Resampling.LANCZOS)),
    "a little brighter": lambda image: saved(ImageEnhance.Brightness(image).enhance(1.1)),
}
# The change, what the sentence must say, and which of the two is the edit (0: nobody can tell).
EDITS: dict[str, tuple[Change, str, int]] = {
    "crop": (lambda image: saved(crop(image, 0.1)), "cropped (6", 2),
    "a quarter of it": (lambda image: saved(crop(image, 0.25)), "cropped (25 % of the frame)", 2),
    "mirrored": (lambda image: saved(ImageOps.mirror(image)), "mirrored", 0),
    "quarter turn": (lambda image: saved(image.transpose(Image.Transpose.ROTATE_90)), "turned left", 0),
    "upside down": (lambda image: saved(image.transpose(Image.Transpose.ROTATE_180)), "upside down", 0),
    "grey": (lambda image: saved(image.convert("L").convert("RGB")), "in black and white", 2),
    "negative": (lambda image: saved(ImageOps.invert(image)), "a negative", 0),
    "words": (lambda image: saved(with_words(image)), "something laid over it, differs in the lower third", 2),
    "bar": (lambda image: saved(with_bar(image)), "with something around it", 2),
    "blur": (lambda image: saved(image.filter(ImageFilter.GaussianBlur(5))), "with less detail", 2),
    "thumbnail": (lambda image: saved(image.resize((96, 72), Image.Resampling.LANCZOS)), "15 % size", 0),
}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", SAME)
def test_a_re_saved_or_resized_picture_is_the_same_picture(name: str, seed: int) -> None:
    original = photo(seed)
    found = compared(original, SAME[name](original))
    assert found.tier == SAME_PICTURE
    assert found.edit == 0


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_told_and_described(name: str, seed: int) -> None:
    original = photo(seed)
    change, words, edit = EDITS[name]
    found = compared(original, change(original))
    assert found.tier == EDITED
    assert words in sentence(found)
    assert found.edit == edit


@pytest.mark.parametrize("name", EDITS)
def test_which_of_the_two_comes_first_does_not_change_the_tier_nor_who_is_the_edit(name: str) -> None:
    original = photo(3)
    change, _, edit = EDITS[name]
    found = compared(change(original), original)
    assert found.tier == EDITED
    assert found.edit == {0: 0, 2: 1}[edit]


def test_the_scale_counts_the_pixels_of_the_files() -> None:
    original = photo(1)
    assert compared(original, original.resize((320, 240))).scale == pytest.approx(0.5, abs=0.01)
    assert sentence(compared(original, original.resize((320, 240)))) == "the same picture, 50 % size"


def test_different_pictures_are_look_alikes() -> None:
    pictures = [photo(seed) for seed in range(5)]
    tiers = {compared(one, two).tier for number, one in enumerate(pictures) for two in pictures[number + 1 :]}
    assert tiers == {LOOK_ALIKE}


def moment(seed: int, x: int) -> Image.Image:
    """A scene seen by a fixed camera with something that moves, and the camera's noise of that moment."""
    image = photo(7)
    image.paste(photo(8, (120, 200)), (x, 200))
    noise = np.random.default_rng(seed).normal(0, 3, (SIZE[1], SIZE[0], 3))
    return saved(Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8)), 90)


@pytest.mark.parametrize("x", [110, 160, 400])
def test_two_moments_before_a_fixed_camera_are_look_alikes(x: int) -> None:
    assert compared(moment(1, 100), moment(2, x)).tier == LOOK_ALIKE


def test_the_same_picture_with_other_words_is_a_look_alike() -> None:
    one, two = photo(4), photo(4)
    for image, words in ((one, "WHEN NOBODY ASKED"), (two, "EVERY DAY AGAIN ")):
        ImageDraw.Draw(image).text((320, 420), words, (255, 255, 255), font_size=48, anchor="mm", stroke_width=2)
    assert compared(saved(one), saved(two)).tier == LOOK_ALIKE


def arrow(colour: tuple[int, int, int]) -> Image.Image:
    image = Image.new("RGB", (256, 256), (60, 130, 200))
    ImageDraw.Draw(image).polygon(
        [(40, 128), (130, 50), (130, 100), (216, 100), (216, 156), (130, 156), (130, 206)], fill=colour
    )
    return image


@pytest.mark.parametrize(
    "other",
    [ImageOps.mirror(arrow((255, 255, 255))), arrow((255, 255, 255)).rotate(90), arrow((240, 220, 40))],
    ids=["mirrored", "turned", "recoloured"],
)
def test_a_drawing_that_is_turned_mirrored_or_recoloured_is_another_one(other: Image.Image) -> None:
    assert compared(arrow((255, 255, 255)), other).tier == LOOK_ALIKE


@pytest.mark.parametrize("seed", [0, 2, 3, 5])
def test_a_drawing_re_saved_is_the_same_picture(seed: int) -> None:
    assert compared(picture(seed), saved(picture(seed), 75)).tier == SAME_PICTURE


def star(points: int) -> Image.Image:
    """Thin faint lines from point to point around a circle, as of a spirograph."""
    image = Image.new("RGB", (320, 320), (255, 255, 255))
    draw = ImageDraw.Draw(image)
    corners = [
        (160 + 140 * math.cos(2 * math.pi * i / points), 160 + 140 * math.sin(2 * math.pi * i / points))
        for i in range(points)
    ]
    for i, corner in enumerate(corners):
        draw.line([corner, corners[(i + points * 3 // 7) % points]], fill=(228, 228, 228))
    return image.filter(ImageFilter.GaussianBlur(1))


def test_two_drawings_in_faint_lines_are_not_equal_for_differing_faintly() -> None:
    assert compared(star(39), star(44)).tier == LOOK_ALIKE
    assert compared(star(39), saved(star(39))).tier == SAME_PICTURE


def poster() -> Image.Image:
    """A drawing in a few colours with many things on it."""
    image = Image.new("RGB", (600, 480), (250, 250, 250))
    draw = ImageDraw.Draw(image)
    chance = np.random.default_rng(4)
    for _ in range(40):
        x, y = (int(chance.integers(0, side)) for side in (560, 440))
        colour = [(230, 60, 70), (250, 210, 90), (120, 190, 220), (30, 30, 30)][int(chance.integers(0, 4))]
        draw.ellipse((x, y, x + 40, y + 40), fill=colour)
        draw.text((x, y), "words", fill=(30, 30, 30), font_size=26)
    return image


@pytest.mark.parametrize("change", [ImageOps.grayscale, ImageOps.invert, ImageEnhance.Color], ids=str)
def test_a_rich_drawing_toned_as_a_whole_is_an_edit(change: Any) -> None:
    toned = change(poster())
    toned = toned.enhance(1.6) if isinstance(toned, ImageEnhance.Color) else toned
    assert compared(poster(), saved(toned.convert("RGB"))).tier == EDITED


def still_camera(seed: int) -> Image.Image:
    """A bare wall with a few things before it, filmed: the noise of each frame is compressed away to another stain."""
    image = Image.new("RGB", SIZE, (176, 168, 160))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 330, 640, 480), fill=(226, 220, 214))
    for x in (90, 300, 520):
        draw.rectangle((x, 180, x + 50, 400), fill=(150, 170, 190), outline=(40, 60, 160), width=4)
        draw.ellipse((x + 12, 150, x + 38, 190), fill=(30, 40, 170))
    chance = np.random.default_rng(seed)
    stains = Image.fromarray(chance.integers(0, 256, (24, 32), dtype=np.uint8)).resize(SIZE, Image.Resampling.BICUBIC)
    pixels = np.asarray(image).astype(float) + (np.asarray(stains, float)[..., None] - 128) / 20
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def test_two_frames_of_a_still_camera_are_look_alikes_whichever_comes_first() -> None:
    for pair in ((1, 2), (2, 1), (3, 4)):
        frames = [saved(still_camera(seed)) for seed in pair]
        assert compared(*frames).tier == LOOK_ALIKE, pair


def test_gradients_are_no_copies_of_each_other() -> None:
    ramp = np.tile(np.linspace(0, 255, 640), (480, 1)).astype(np.uint8)
    one, two = Image.fromarray(ramp).convert("RGB"), Image.fromarray(ramp[:, ::-1]).convert("RGB")
    assert compared(one, two).tier == LOOK_ALIKE


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (3, 2), (17, 400), (5000, 3)], ids=str)
def test_odd_sizes_are_looked_at_without_trouble(size: tuple[int, int]) -> None:
    strange = photo(1).resize(size)
    assert compared(strange, photo(1)).tier in (EDITED, LOOK_ALIKE)
    assert compared(photo(1), strange).tier in (EDITED, LOOK_ALIKE)


def test_a_look_is_never_larger_than_its_bounds_nor_than_the_picture() -> None:
    assert size_for(4000, 3000) == (384, 288)
    assert size_for(100, 80) == (100, 80)
    wide, high = size_for(100_000, 10)
    assert wide == 768
    assert high == 1
    assert math.isclose(math.prod(size_for(1000, 3000)), 384 * 288, rel_tol=0.02)


def test_a_result_survives_being_kept_and_is_the_same_seen_from_the_other_side() -> None:
    found = compared(photo(1), saved(crop(photo(1), 0.1)))
    assert Verification.from_json(found.to_json()) == found
    other = found.swapped()
    assert (other.edit, other.covers) == (1, found.covers[::-1])
    assert sentence(other).startswith("the kept one is cropped")
    back = other.swapped()
    assert (back.findings, back.edit, back.covers) == (found.findings, found.edit, found.covers)
    brighter = Verification(SAME_PICTURE, findings=("brighter",))
    assert sentence(brighter.swapped()) == "the same picture, darker"


def test_one_picture_laid_on_the_other_fits_and_shows_what_differs() -> None:
    original = photo(2)
    edited = with_words(original)
    laid = lay_on(original, saved(edited.resize((320, 240), Image.Resampling.LANCZOS)))
    assert laid is not None
    assert laid.keeper.shape == laid.other.shape
    assert np.abs(laid.keeper.astype(int) - laid.other).mean() < 12
    rows = np.nonzero(laid.difference)[0] / laid.difference.shape[0]
    assert rows.min() > 0.75
    assert lay_on(original, photo(5)) is None
