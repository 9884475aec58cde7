"""Sixteen things people and programs do to pictures: the copies that a threshold is measured on."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

WHITE, BLACK, GREY = (255, 255, 255), (0, 0, 0), (205, 205, 205)
SCREEN = (720, 1480)
CAPTION = "when nobody asked again"

Change = Callable[[Image.Image, random.Random], Image.Image]


@dataclass(frozen=True, slots=True)
class Edit:
    """A kind of edit: the group it is counted in, what it does, and the JPEG quality its copies are saved at."""

    name: str
    group: str
    change: Change
    quality: int = 88


def write_copies(image: Image.Image, folder: Path, seed: str) -> list[Path]:
    """One JPEG in the folder for each of ``EDITS``, in that order; the same seed makes the same copies."""
    paths = []
    for number, edit in enumerate(EDITS):
        copy = edit.change(image, random.Random(f"{seed}:{edit.name}"))
        paths.append(folder / f"{number:02}.jpg")
        copy.save(paths[-1], "JPEG", quality=edit.quality)
    return paths


def _unchanged(image: Image.Image, rng: random.Random) -> Image.Image:
    return image


def _scaled(image: Image.Image, rng: random.Random, factor: float) -> Image.Image:
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    return image.resize(size, Image.Resampling.LANCZOS)


def _brighter(image: Image.Image, rng: random.Random) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(1.3)


def _more_contrast(image: Image.Image, rng: random.Random) -> Image.Image:
    return ImageEnhance.Contrast(image).enhance(1.4)


def _grey(image: Image.Image, rng: random.Random) -> Image.Image:
    return image.convert("L").convert("RGB")


def _blurred(image: Image.Image, rng: random.Random) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(max(image.size) / 400))


def _noisy(image: Image.Image, rng: random.Random) -> Image.Image:
    noise = np.random.default_rng(rng.getrandbits(32)).normal(0, 14, (image.height, image.width, 3))
    return Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))


def _trimmed(image: Image.Image, rng: random.Random) -> Image.Image:
    x, y = round(image.width * 0.05), round(image.height * 0.05)
    return image.crop((x, y, image.width - x, image.height - y))


def _half_the_area(image: Image.Image, rng: random.Random) -> Image.Image:
    width, height = (max(1, round(side * 0.5**0.5)) for side in image.size)
    left, top = rng.randint(0, image.width - width), rng.randint(0, image.height - height)
    return image.crop((left, top, left + width, top + height))


def _captioned(image: Image.Image, rng: random.Random) -> Image.Image:
    image = image.copy()
    place = image.width / 2, image.height * rng.uniform(0.8, 0.92)
    font, outline = _font(image.height // 12), max(1, image.height // 150)
    ImageDraw.Draw(image).text(place, CAPTION, WHITE, font, anchor="mm", stroke_width=outline, stroke_fill=BLACK)
    return image


def _bordered(image: Image.Image, rng: random.Random) -> Image.Image:
    return ImageOps.expand(image, max(2, round(image.width * 0.04)), WHITE)


def _screenshot(image: Image.Image, rng: random.Random) -> Image.Image:
    """As a phone shows it: black around it, the time above, buttons below."""
    screen = Image.new("RGB", SCREEN, BLACK)
    shown = ImageOps.contain(image, (SCREEN[0], 1200))
    screen.paste(shown, ((SCREEN[0] - shown.width) // 2, (SCREEN[1] - shown.height) // 2))
    draw = ImageDraw.Draw(screen)
    draw.text((30, 20), f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}", GREY, font=_font(34))
    for left in range(80, SCREEN[0] - 80, 160):
        draw.ellipse((left, 1390, left + 60, 1450), outline=GREY, width=5)
    return screen


def _mirrored(image: Image.Image, rng: random.Random) -> Image.Image:
    return ImageOps.mirror(image)


def _quarter_turned(image: Image.Image, rng: random.Random) -> Image.Image:
    return image.transpose(Image.Transpose.ROTATE_90)


def _font(points: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    try:
        return ImageFont.load_default(max(8, points))
    except TypeError:  # Pillow-SIMD, older than the sizes
        return ImageFont.load_default()


EDITS: tuple[Edit, ...] = (
    Edit("JPEG 75", "re-saved", _unchanged, 75),
    Edit("JPEG 35", "re-saved", _unchanged, 35),
    Edit("half size", "resized", partial(_scaled, factor=0.5)),
    Edit("quarter size", "resized", partial(_scaled, factor=0.25)),
    Edit("brighter", "tones", _brighter),
    Edit("more contrast", "tones", _more_contrast),
    Edit("grey", "tones", _grey),
    Edit("blur", "blurred", _blurred),
    Edit("noise", "blurred", _noisy),
    Edit("crop of 5 %", "cropped", _trimmed),
    Edit("half the area", "cropped", _half_the_area),
    Edit("caption", "framed", _captioned),
    Edit("border", "framed", _bordered),
    Edit("screenshot", "framed", _screenshot),
    Edit("mirrored", "turned", _mirrored),
    Edit("quarter turn", "turned", _quarter_turned),
)
GROUPS: tuple[str, ...] = tuple(dict.fromkeys(edit.group for edit in EDITS))
