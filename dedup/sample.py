"""A handful of small drawn pictures with copies among them, to try everything without risk."""

from __future__ import annotations

import math
import random
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

from dedup.errors import DedupError
from dedup.permissions import make_folder

SIZE = (640, 480)
Draw = ImageDraw.ImageDraw


def sample_folder(parent: Path) -> Path:
    """The sample folder under ``parent``; pictures that are missing are drawn (again), none is overwritten."""
    folder = parent / "sample-pictures"
    try:
        return _draw_missing(folder)
    except OSError as problem:
        raise DedupError(
            f"The sample pictures cannot be drawn in {folder}: {problem.strerror}.",
            "Let DEDUP_HOME name a folder that can be written.",
        ) from problem


def drawn_pictures() -> list[Image.Image]:
    """The scenes of the sample folder, each once."""
    return [_paint(scene, number) for number, scene in enumerate(_SCENES.values())]


def _draw_missing(folder: Path) -> Path:
    make_folder(folder / "from phone")
    for number, (name, scene) in enumerate(_SCENES.items()):
        _save_once(folder / f"{name}.jpg", partial(_paint, scene, number), quality=92)
    _copy_once(folder / "harbour.jpg", folder / "from phone" / "harbour.jpg")
    _copy_once(folder / "city.jpg", folder / "city (1).jpg")
    _save_once(folder / "from phone" / "mountains-small.jpg", lambda: _half(folder / "mountains.jpg"), quality=95)
    _save_once(folder / "garden-resaved.jpg", lambda: Image.open(folder / "garden.jpg"), quality=60)
    return folder


def _save_once(path: Path, make: Callable[[], Image.Image], quality: int) -> None:
    if not path.exists():
        make().save(path, quality=quality)


def _copy_once(source: Path, target: Path) -> None:
    if not target.exists():
        shutil.copy2(source, target)


def _half(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.resize((SIZE[0] // 2, SIZE[1] // 2), Image.Resampling.LANCZOS)


def _paint(scene: Callable[[Draw, random.Random], None], seed: int) -> Image.Image:
    chance = random.Random(seed)
    image = Image.new("RGB", SIZE)
    scene(ImageDraw.Draw(image), chance)
    # A little grain, as a camera has, so that saving a copy changes something.
    grain = Image.frombytes("L", SIZE, chance.randbytes(SIZE[0] * SIZE[1])).convert("RGB")
    return Image.blend(image.filter(ImageFilter.GaussianBlur(0.6)), grain, 0.03)


def _sky(draw: Draw, top: tuple[int, int, int], bottom: tuple[int, int, int], until: int = SIZE[1]) -> None:
    for y in range(until):
        share = y / until
        draw.line((0, y, SIZE[0], y), tuple(round(a + (b - a) * share) for a, b in zip(top, bottom, strict=True)))


def _mountains(draw: Draw, chance: random.Random) -> None:
    _sky(draw, (90, 140, 220), (240, 220, 200))
    draw.ellipse((470, 50, 560, 140), (255, 240, 170))
    for layer in range(4):
        shade = 150 - 32 * layer
        base = 190 + 70 * layer
        ridge = [
            (x, base + round(60 * math.sin(x / (55 + 21 * layer) + layer)) - chance.randrange(28))
            for x in range(0, 660, 12)
        ]
        draw.polygon([(0, 480), *ridge, (660, 480)], (shade - 20, shade, shade + 30))


def _harbour(draw: Draw, chance: random.Random) -> None:
    _sky(draw, (250, 170, 110), (255, 225, 180), 240)
    draw.rectangle((0, 240, 640, 480), (30, 90, 120))
    for _ in range(260):
        x, y = chance.randrange(640), chance.randrange(245, 480)
        draw.line((x, y, x + chance.randrange(10, 50), y), (80, 140, 160))
    for boat in range(4):
        x, y = 60 + 150 * boat, 250 + 30 * (boat % 3)
        draw.polygon([(x, y), (x + 100, y), (x + 80, y + 30), (x + 15, y + 30)], (150, 40 + 30 * boat, 40))
        draw.line((x + 50, y, x + 50, y - 120), (60, 40, 30), 4)
        draw.polygon([(x + 54, y - 115), (x + 54, y - 20), (x + 105, y - 20)], (245, 240, 225))


def _city(draw: Draw, chance: random.Random) -> None:
    _sky(draw, (15, 15, 50), (70, 40, 90))
    for building in range(14):
        left, top = building * 47 - 8, chance.randrange(90, 320)
        draw.rectangle((left, top, left + 44, 480), (25 + building * 3, 28, 45))
        for y in range(top + 10, 470, 18):
            for x in range(left + 6, left + 40, 12):
                if chance.random() < 0.55:
                    draw.rectangle((x, y, x + 6, y + 9), (255, 215, 120))


def _garden(draw: Draw, chance: random.Random) -> None:
    _sky(draw, (120, 190, 110), (40, 110, 50))
    for _ in range(170):
        x, y, radius = chance.randrange(640), chance.randrange(60, 480), chance.randrange(8, 24)
        colour = chance.choice([(235, 60, 80), (250, 200, 60), (240, 240, 250), (190, 90, 210)])
        for petal in range(6):
            dx, dy = radius * math.cos(petal * math.pi / 3), radius * math.sin(petal * math.pi / 3)
            draw.ellipse((x + dx - 7, y + dy - 7, x + dx + 7, y + dy + 7), colour)
        draw.ellipse((x - 6, y - 6, x + 6, y + 6), (120, 80, 30))


def _chessboard(draw: Draw, chance: random.Random) -> None:
    draw.rectangle((0, 0, 640, 480), (110, 75, 50))
    for row in range(8):
        for column in range(8):
            x, y = 110 + column * 52, 30 + row * 52
            draw.rectangle((x, y, x + 52, y + 52), (235, 215, 180) if (row + column) % 2 else (95, 60, 40))
            if chance.random() < 0.4:
                draw.ellipse((x + 12, y + 12, x + 40, y + 40), chance.choice([(250, 250, 245), (25, 25, 30)]))


def _fruit(draw: Draw, chance: random.Random) -> None:
    _sky(draw, (235, 230, 220), (190, 170, 150))
    draw.ellipse((60, 230, 580, 460), (90, 130, 180))
    for _ in range(26):
        x, y = chance.randrange(130, 470), chance.randrange(150, 330)
        colour = chance.choice([(210, 40, 40), (245, 160, 40), (120, 180, 60), (245, 215, 80)])
        draw.ellipse((x, y, x + 74, y + 70), colour, outline=(70, 40, 20), width=2)
        draw.line((x + 37, y + 6, x + 42, y - 8), (80, 60, 30), 4)


_SCENES: dict[str, Callable[[Draw, random.Random], None]] = {
    "mountains": _mountains,
    "harbour": _harbour,
    "city": _city,
    "garden": _garden,
    "chessboard": _chessboard,
    "fruit": _fruit,
}
