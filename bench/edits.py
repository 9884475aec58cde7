"""Edited copies of photos, seeded and deterministic: what people and programs do to pictures, by difficulty.

    python bench/edits.py PHOTOS OUT [--photos N] [--seed S] [--kinds NAME ...]

writes every kind of edit of N photos of a folder into OUT, beside the photos themselves, with a
manifest.csv (path, label, group, licence, source, bytes, kind, tier). The same seed and photos give the
same pictures. Used by ``accuracy.py``.

Tiers: *exact* keeps every pixel; *easy* is what programs do by themselves; *medium* is a light edit or a
hard re-save; *hard* changes the frame, the colours or what is written on the picture; *extreme* leaves a
part of it, or a shadow.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

TIERS = ("exact", "easy", "medium", "hard", "extreme")
WORDS = "when you said five minutes but nobody asked again today one more time the best day ever".split()
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True)
class Source:
    """A photo to edit: its bytes, its upright picture, and another photo for edits that need a second one."""

    data: bytes
    image: Image.Image
    other: Image.Image


Make = Callable[[Source, random.Random], tuple[bytes, str]]


@dataclass(frozen=True)
class Edit:
    """A kind of edit: its tier and the function that makes (bytes, suffix) of a photo."""

    name: str
    tier: str
    make: Make


def saved(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    """The bytes of a picture in a format."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def reopened(image: Image.Image, kind: str, **options: Any) -> Image.Image:
    """The picture after a round through a file."""
    return Image.open(io.BytesIO(saved(image, kind, **options))).convert("RGB")


def scaled(image: Image.Image, factor: float) -> Image.Image:
    """The picture resized."""
    return image.resize(
        (max(1, round(image.width * factor)), max(1, round(image.height * factor))), Image.Resampling.LANCZOS
    )


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


def inset(source: Source, rng: random.Random) -> Image.Image:
    """The picture small in a corner of another one."""
    page = fitted(source.other, 1024).copy()
    shown = ImageOps.contain(source.image, (round(page.width * 0.5), round(page.height * 0.5)))
    page.paste(shown, (rng.choice((10, page.width - shown.width - 10)), page.height - shown.height - 10))
    return page


def collage(source: Source, rng: random.Random) -> Image.Image:
    """The picture as one of two side by side."""
    height = 480
    left, right = (ImageOps.fit(one, (480, height)) for one in (source.image, source.other))
    if rng.random() < 0.5:
        left, right = right, left
    page = Image.new("RGB", (970, height), (255, 255, 255))
    page.paste(left, (0, 0))
    page.paste(right, (490, 0))
    return page


def with_comment(source: Source) -> bytes:
    """The file with a comment more, its pixels untouched; a PNG of it where it is no JPEG."""
    if not source.data.startswith(b"\xff\xd8"):
        return saved(source.image, "PNG", compress_level=1)
    words = b"edited nowhere"
    return source.data[:2] + b"\xff\xfe" + (len(words) + 2).to_bytes(2, "big") + words + source.data[2:]


def lying(source: Source) -> bytes:
    """A PNG whose pixels lie on their side and whose EXIF says how to set them upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(source.image.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif, compress_level=1)


def jpeg(change: Callable[[Image.Image, random.Random], Image.Image], quality: int = 88) -> Make:
    """An edit saved as a JPEG."""
    return lambda source, rng: (saved(change(source.image, rng), quality=quality), ".jpg")


def as_file(kind: str, suffix: str, **options: Any) -> Make:
    """The picture in another format."""
    return lambda source, rng: (saved(source.image, kind, **options), suffix)


def _scan(image: Image.Image, rng: random.Random) -> Image.Image:
    grey = white_balanced(noisy(image, 5, rng), 1.06, 0.86).filter(ImageFilter.GaussianBlur(0.8))
    return turned(framed(grey, 0.04, (238, 236, 230)), rng.uniform(-1.5, 1.5))


def _screen_photo(image: Image.Image, rng: random.Random) -> Image.Image:
    y = np.mgrid[0 : image.height, 0 : image.width][0]
    lines = 1 - 0.12 * (np.sin(y * 2.1) > 0)[..., None]
    shown = Image.fromarray((np.asarray(image) * lines).astype(np.uint8))
    return perspective(mapped(shown, lambda x: 0.08 + 0.8 * x**1.2), 0.08, rng)


EDITS: tuple[Edit, ...] = (
    Edit("byte copy", "exact", lambda source, rng: (source.data, "")),
    Edit("png", "exact", as_file("PNG", ".png", compress_level=1)),
    Edit("bmp", "exact", as_file("BMP", ".bmp")),
    Edit("tiff", "exact", as_file("TIFF", ".tif", compression="tiff_lzw")),
    Edit("lossless webp", "exact", as_file("WEBP", ".webp", lossless=True, quality=0, method=0)),
    Edit("comment", "exact", lambda source, rng: (with_comment(source), ".jpg")),
    Edit("on its side", "exact", lambda source, rng: (lying(source), ".png")),
    Edit("jpeg 92", "easy", jpeg(lambda image, rng: image, 92)),
    Edit("jpeg 75", "easy", jpeg(lambda image, rng: image, 75)),
    Edit("webp 80", "easy", as_file("WEBP", ".webp", quality=80, method=1)),
    Edit("three quarters", "easy", jpeg(lambda image, rng: scaled(image, 0.75))),
    Edit("half size", "easy", jpeg(lambda image, rng: scaled(image, 0.5))),
    Edit("twice the size", "easy", jpeg(lambda image, rng: scaled(image, 2.0), 92)),
    Edit("a little brighter", "easy", jpeg(lambda image, rng: ImageEnhance.Brightness(image).enhance(1.08))),
    Edit("sharpened", "easy", jpeg(lambda image, rng: image.filter(ImageFilter.UnsharpMask(2, 80)))),
    Edit("fine noise", "easy", jpeg(lambda image, rng: noisy(image, 4, rng), 92)),
    Edit("messenger", "easy", jpeg(lambda image, rng: fitted(image, 800), 60)),
    Edit("jpeg 35", "medium", jpeg(lambda image, rng: image, 35)),
    Edit("quarter size", "medium", jpeg(lambda image, rng: scaled(image, 0.25))),
    Edit("gif", "medium", lambda source, rng: (saved(source.image.quantize(64), "GIF"), ".gif")),
    Edit("brighter", "medium", jpeg(lambda image, rng: ImageEnhance.Brightness(image).enhance(1.3))),
    Edit("darker", "medium", jpeg(lambda image, rng: mapped(image, lambda x: x**1.6))),
    Edit("contrast", "medium", jpeg(lambda image, rng: ImageEnhance.Contrast(image).enhance(1.4))),
    Edit("saturated", "medium", jpeg(lambda image, rng: ImageEnhance.Color(image).enhance(1.8))),
    Edit("warmer", "medium", jpeg(lambda image, rng: white_balanced(image, 1.18, 0.82))),
    Edit("grey", "medium", jpeg(lambda image, rng: image.convert("L").convert("RGB"))),
    Edit("crop 5 %", "medium", jpeg(lambda image, rng: cropped(image, 0.05))),
    Edit("border", "medium", jpeg(lambda image, rng: framed(image, 0.04, (255, 255, 255)))),
    Edit("watermark", "medium", jpeg(lambda image, rng: blended(image, text(rng, 2), 0.4))),
    Edit(
        "date stamp", "medium", jpeg(lambda image, rng: written(image, "2024-07-13", 0.94, 0.05, fill=(255, 170, 40)))
    ),
    Edit("blur", "medium", jpeg(lambda image, rng: image.filter(ImageFilter.GaussianBlur(max(image.size) / 500)))),
    Edit("noise", "medium", jpeg(lambda image, rng: noisy(image, 14, rng))),
    Edit("squeezed", "medium", jpeg(lambda image, rng: image.resize((round(image.width * 0.88), image.height)))),
    Edit("turned 2 degrees", "medium", jpeg(lambda image, rng: turned(image, 2))),
    Edit("jpeg 10", "hard", jpeg(lambda image, rng: image, 10)),
    Edit("thumbnail 96", "hard", jpeg(lambda image, rng: fitted(image, 96), 80)),
    Edit("strong blur", "hard", jpeg(lambda image, rng: image.filter(ImageFilter.GaussianBlur(max(image.size) / 160)))),
    Edit("strong noise", "hard", jpeg(lambda image, rng: noisy(image, 35, rng))),
    Edit("mirrored", "hard", jpeg(lambda image, rng: ImageOps.mirror(image))),
    Edit("upside down", "hard", jpeg(lambda image, rng: image.transpose(Image.Transpose.ROTATE_180))),
    Edit("quarter turn", "hard", jpeg(lambda image, rng: image.transpose(Image.Transpose.ROTATE_90))),
    Edit("turned 8 degrees", "hard", jpeg(lambda image, rng: turned(image, 8, (255, 255, 255)))),
    Edit("half the area", "hard", jpeg(lambda image, rng: window(image, 0.5, rng))),
    Edit("square crop", "hard", jpeg(lambda image, rng: ImageOps.fit(image, (min(image.size), min(image.size))))),
    Edit("sepia", "hard", jpeg(lambda image, rng: sepia(image))),
    Edit("hues turned", "hard", jpeg(lambda image, rng: hue_turned(image, 60))),
    Edit("overexposed", "hard", jpeg(lambda image, rng: ImageEnhance.Brightness(image).enhance(1.8))),
    Edit("vignette", "hard", jpeg(lambda image, rng: vignette(image))),
    Edit("caption bar", "hard", jpeg(bar_below)),
    Edit("meme", "hard", jpeg(meme)),
    Edit("sticker", "hard", jpeg(sticker)),
    Edit("screenshot", "hard", lambda source, rng: (saved(screenshot(source.image, rng), "PNG"), ".png")),
    Edit("letterbox", "hard", jpeg(lambda image, rng: letterboxed(image))),
    Edit("scan", "hard", jpeg(_scan)),
    Edit("thumbnail 40", "extreme", jpeg(lambda image, rng: fitted(image, 40), 85)),
    Edit("a quarter of the area", "extreme", jpeg(lambda image, rng: window(image, 0.25, rng))),
    Edit("a tenth of the area", "extreme", jpeg(lambda image, rng: window(image, 0.1, rng))),
    Edit("inverted", "extreme", jpeg(lambda image, rng: ImageOps.invert(image))),
    Edit(
        "two levels", "extreme", jpeg(lambda image, rng: mapped(image.convert("L").convert("RGB"), lambda x: x > 0.5))
    ),
    Edit("posterised", "extreme", jpeg(lambda image, rng: ImageOps.posterize(image, 2))),
    Edit("pixelated", "extreme", jpeg(lambda image, rng: pixelated(image, 40))),
    Edit(
        "very strong blur",
        "extreme",
        jpeg(lambda image, rng: image.filter(ImageFilter.GaussianBlur(max(image.size) / 60))),
    ),
    Edit("from aside", "extreme", jpeg(lambda image, rng: perspective(image, 0.22, rng))),
    Edit("photo of a screen", "extreme", jpeg(_screen_photo, 70)),
    Edit("turned 40 degrees", "extreme", jpeg(lambda image, rng: turned(image, 40, (0, 0, 0)))),
    Edit("mirrored crop", "extreme", jpeg(lambda image, rng: ImageOps.mirror(window(image, 0.4, rng)), 50)),
    Edit("half covered", "extreme", jpeg(lambda image, rng: covered(image, rng, 0.7))),
    Edit("collage", "extreme", lambda source, rng: (saved(collage(source, rng), quality=88), ".jpg")),
    Edit("picture in picture", "extreme", lambda source, rng: (saved(inset(source, rng), quality=88), ".jpg")),
)


def photos_of(folder: Path, count: int) -> list[Path]:
    """The first ``count`` photos of a folder; with a manifest.csv, of those it calls distinct."""
    manifest = folder / "manifest.csv"
    if manifest.exists():
        with manifest.open(newline="", encoding="utf-8") as file:
            found = [folder / row["path"] for row in csv.DictReader(file) if row["label"] == "distinct"]
    else:
        found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    step = max(1.0, len(found) / count)
    return [found[int(number * step)] for number in range(min(count, len(found)))]


def write_edits(
    photos: Sequence[Path], out: Path, *, seed: int = 1, kinds: Sequence[str] = (), side: int = 1024
) -> list[dict[str, str]]:
    """Write the photos (cut down to ``side`` pixels, as JPEG) and their edits into ``out``; the manifest's rows.

    The group of a row is the number of its photo; the photo itself has the label ``distinct``, an edit
    ``same``. An edit that shows a second photo takes the next one of the list.
    """
    rows = []
    wanted = [edit for edit in EDITS if not kinds or edit.name in kinds]
    for number, path in enumerate(photos):
        source = _source(path, photos[(number + 1) % len(photos)], side)
        group = f"{number:04d}"
        rows.append(_write(out / group, "original.jpg", source.data, group, "original", "", "distinct"))
        for edit in wanted:
            data, suffix = edit.make(source, random.Random(f"{seed}:{group}:{edit.name}"))
            name = edit.name.replace(" ", "-").replace("%", "pc") + (suffix or ".jpg")
            rows.append(_write(out / group, name, data, group, edit.name, edit.tier, "same"))
    with (out / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else ["path"])
        writer.writeheader()
        writer.writerows(rows)
    return rows


def _source(path: Path, other: Path, side: int) -> Source:
    image, second = (fitted(ImageOps.exif_transpose(Image.open(one)).convert("RGB"), side) for one in (path, other))
    data = saved(image, quality=95)
    return Source(data, Image.open(io.BytesIO(data)).convert("RGB"), second)


def _write(folder: Path, name: str, data: bytes, group: str, kind: str, tier: str, label: str) -> dict[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    place = f"{folder.name}/{name}"
    facts = {"path": place, "label": label, "group": group, "licence": "", "source": "edits.py"}
    return {**facts, "bytes": str(len(data)), "kind": kind, "tier": tier}


def main() -> None:
    """Write the edits of a folder's photos."""
    parser = argparse.ArgumentParser(description="Write edited copies of photos with a manifest.")
    parser.add_argument("photos_folder", type=Path, metavar="PHOTOS")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--photos", type=int, default=100, help="how many photos (default: 100)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", nargs="+", default=[], choices=[edit.name for edit in EDITS], metavar="NAME")
    arguments = parser.parse_args()
    photos = photos_of(arguments.photos_folder, arguments.photos)
    rows = write_edits(photos, arguments.out, seed=arguments.seed, kinds=arguments.kinds)
    print(f"{len(rows):,} pictures of {len(photos):,} photos in {arguments.out}")


if __name__ == "__main__":
    main()
