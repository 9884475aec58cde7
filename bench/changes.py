"""What is done to pictures: the functions that the kinds of edits in ``edits.py`` are made of."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

WORDS = "when you said five minutes but nobody asked again today one more time the best day ever".split()


def saved(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    """The bytes of a picture in a format."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def reopened(image: Image.Image, kind: str, **options: Any) -> Image.Image:
    """The picture after a round through a file."""
    return Image.open(io.BytesIO(saved(image, kind, **options))).convert("RGB")


def scaled(image: Image.Image, factor: float, resample: Image.Resampling = Image.Resampling.LANCZOS) -> Image.Image:
    """The picture resized."""
    return image.resize((max(1, round(image.width * factor)), max(1, round(image.height * factor))), resample)


def fitted(image: Image.Image, side: int) -> Image.Image:
    """The picture with its longer side at most ``side``."""
    return scaled(image, min(1.0, side / max(image.size)))


def cropped(image: Image.Image, share: float) -> Image.Image:
    """The picture without this share of it on every side."""
    x, y = round(image.width * share), round(image.height * share)
    return image.crop((x, y, image.width - x, image.height - y))


def window(image: Image.Image, area: float, rng: random.Random) -> Image.Image:
    """A random part with this share of the area, of the picture's shape."""
    width, height = round(image.width * area**0.5), round(image.height * area**0.5)
    left, top = rng.randint(0, image.width - width), rng.randint(0, image.height - height)
    return image.crop((left, top, left + width, top + height))


def text(rng: random.Random, count: int) -> str:
    """Some words."""
    return " ".join(rng.choice(WORDS) for _ in range(count))


def written(image: Image.Image, words: str, y: float, size: float, **how: Any) -> Image.Image:
    """The picture with a line of text, its middle at the share ``y`` of the height."""
    image = image.copy()
    place = image.width / 2, image.height * y
    ImageDraw.Draw(image).text(place, words, font_size=max(9, image.height * size), anchor="mm", **how)
    return image


def blended(image: Image.Image, words: str, opacity: float) -> Image.Image:
    """The picture with a see-through line of white text across its middle."""
    over = written(image, words, 0.55, 0.09, fill=(255, 255, 255))
    return Image.blend(image, over, opacity)


def noisy(image: Image.Image, sigma: float, rng: random.Random) -> Image.Image:
    """The picture with Gaussian noise."""
    noise = np.random.default_rng(rng.getrandbits(32)).normal(0, sigma, (image.height, image.width, 3))
    return Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))


def mapped(image: Image.Image, function: Callable[[float], float]) -> Image.Image:
    """The picture with every level x (0 to 1) replaced by function(x)."""
    table = [min(255, max(0, round(255 * function(level / 255)))) for level in range(256)]
    return image.point(table * 3)


def sepia(image: Image.Image) -> Image.Image:
    """The picture in browns."""
    return ImageOps.colorize(image.convert("L"), (30, 15, 5), (255, 240, 205), mid=(150, 110, 70))


def hue_turned(image: Image.Image, by: int) -> Image.Image:
    """The picture with its hues turned by ``by`` of 256."""
    hue, saturation, value = image.convert("HSV").split()
    return Image.merge("HSV", (hue.point(lambda h: (h + by) % 256), saturation, value)).convert("RGB")


def white_balanced(image: Image.Image, red: float, blue: float) -> Image.Image:
    """The picture with its red and blue multiplied."""
    pixels = np.asarray(image) * np.array([red, 1.0, blue])
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def turned(image: Image.Image, degrees: float, fill: tuple[int, int, int] | None = None) -> Image.Image:
    """The picture turned: with filled corners, or cut to the upright part that has none."""
    whole = image.rotate(degrees, Image.Resampling.BICUBIC, expand=fill is not None, fillcolor=fill or (0, 0, 0))
    if fill is not None:
        return whole
    radians = abs(np.deg2rad(degrees))
    lost = np.tan(radians) * max(image.size) / min(image.size) / 2 + 0.01
    return cropped(whole, min(0.3, float(lost)))


def perspective(image: Image.Image, strength: float, rng: random.Random) -> Image.Image:
    """The picture seen from aside: its corners moved inwards by up to ``strength`` of its size."""
    width, height = image.size
    moves = [(rng.uniform(0.2, 1) * strength * width, rng.uniform(0.2, 1) * strength * height) for _ in range(4)]
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = moves
    corners = [(ax, ay), (width - bx, by), (width - cx, height - cy), (dx, height - dy)]
    rows, values = [], []
    for (x, y), (u, v) in zip(corners, [(0, 0), (width, 0), (width, height), (0, height)], strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    found = np.linalg.solve(np.array(rows, float), np.array(values, float))
    return image.transform(
        image.size, Image.Transform.PERSPECTIVE, list(found), Image.Resampling.BICUBIC, fillcolor=(20, 20, 20)
    )


def bar_below(image: Image.Image, rng: random.Random) -> Image.Image:
    """The picture on a white page with a caption under it."""
    bar = round(image.height * rng.uniform(0.14, 0.24))
    page = Image.new("RGB", (image.width, image.height + bar), (255, 255, 255))
    page.paste(image)
    place = image.width / 2, image.height + bar / 2
    ImageDraw.Draw(page).text(place, text(rng, 5), fill=(0, 0, 0), font_size=max(9, bar * 0.35), anchor="mm")
    return page


def meme(image: Image.Image, rng: random.Random) -> Image.Image:
    """The picture with outlined words at its top and its bottom."""
    how = {"fill": (255, 255, 255), "stroke_fill": (0, 0, 0), "stroke_width": max(1, image.height // 150)}
    image = written(image, text(rng, 4).upper(), 0.09, 0.085, **how)
    return written(image, text(rng, 4).upper(), 0.91, 0.085, **how)


def sticker(image: Image.Image, rng: random.Random, share: float = 0.3) -> Image.Image:
    """The picture with a drawn face on it."""
    image = image.copy()
    side = round(min(image.size) * share)
    x, y = rng.randint(0, image.width - side), rng.randint(0, image.height - side)
    draw = ImageDraw.Draw(image)
    draw.ellipse((x, y, x + side, y + side), fill=(255, 205, 50), outline=(120, 80, 0), width=max(1, side // 30))
    for eye in (0.32, 0.68):
        middle, radius = x + side * eye, side * 0.07
        draw.ellipse((middle - radius, y + side * 0.3, middle + radius, y + side * 0.45), fill=(60, 40, 10))
    draw.arc((x + side * 0.25, y + side * 0.35, x + side * 0.75, y + side * 0.8), 20, 160, (60, 40, 10), side // 15 + 1)
    return image


def covered(image: Image.Image, rng: random.Random, share: float) -> Image.Image:
    """The picture with a box of one colour over this share of its width and height."""
    image = image.copy()
    width, height = round(image.width * share), round(image.height * share)
    x, y = rng.randint(0, image.width - width), rng.randint(0, image.height - height)
    image.paste((rng.randint(0, 255), rng.randint(0, 255), rng.randint(0, 255)), (x, y, x + width, y + height))
    return image


def screenshot(image: Image.Image, rng: random.Random) -> Image.Image:
    """The picture as a phone's screen shows it: a status bar above, buttons below, black around."""
    screen = Image.new("RGB", (720, 1480), (0, 0, 0))
    shown = ImageOps.contain(image, (720, 1200))
    screen.paste(shown, (0, (1480 - shown.height) // 2))
    draw = ImageDraw.Draw(screen)
    draw.text((30, 20), f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}", (230, 230, 230), font_size=34)
    draw.rectangle((620, 24, 680, 52), outline=(230, 230, 230), width=4)
    for number in range(4):
        draw.ellipse((80 + 160 * number, 1390, 140 + 160 * number, 1450), outline=(200, 200, 200), width=5)
    return screen


def framed(image: Image.Image, share: float, colour: tuple[int, int, int]) -> Image.Image:
    """The picture with an even border of this share of its width."""
    return ImageOps.expand(image, max(2, round(image.width * share)), colour)


def letterboxed(image: Image.Image) -> Image.Image:
    """The picture in the middle of a black square."""
    return ImageOps.pad(image, (max(image.size), max(image.size)), color=(0, 0, 0))


def vignette(image: Image.Image) -> Image.Image:
    """The picture darker towards its corners."""
    y, x = np.mgrid[-1 : 1 : image.height * 1j, -1 : 1 : image.width * 1j]
    shade = 1 - 0.55 * np.clip(x**2 + y**2 - 0.2, 0, 1.6) / 1.6
    return Image.fromarray((np.asarray(image) * shade[..., None]).astype(np.uint8))


def pixelated(image: Image.Image, across: int) -> Image.Image:
    """The picture as ``across`` squares of one colour on its longer side."""
    small = scaled(image, across / max(image.size))
    return small.resize(image.size, Image.Resampling.NEAREST)


def scanned(image: Image.Image, rng: random.Random) -> Image.Image:
    """The picture as a flatbed scanner gives it: tinted, soft, a little turned, with a margin."""
    grey = white_balanced(noisy(image, 5, rng), 1.06, 0.86).filter(ImageFilter.GaussianBlur(0.8))
    return turned(framed(grey, 0.04, (238, 236, 230)), rng.uniform(-1.5, 1.5))


def off_screen(image: Image.Image, rng: random.Random) -> Image.Image:
    """The picture photographed off a screen: with its lines, flatter, and from aside."""
    y = np.mgrid[0 : image.height, 0 : image.width][0]
    lines = 1 - 0.12 * (np.sin(y * 2.1) > 0)[..., None]
    shown = Image.fromarray((np.asarray(image) * lines).astype(np.uint8))
    return perspective(mapped(shown, lambda x: 0.08 + 0.8 * x**1.2), 0.08, rng)
