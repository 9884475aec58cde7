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

from changes import (
    bar_below,
    blended,
    covered,
    cropped,
    fitted,
    framed,
    hue_turned,
    letterboxed,
    mapped,
    meme,
    noisy,
    off_screen,
    perspective,
    pixelated,
    saved,
    scaled,
    scanned,
    screenshot,
    sepia,
    sticker,
    text,
    turned,
    vignette,
    white_balanced,
    window,
    written,
)
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

TIERS = ("exact", "easy", "medium", "hard", "extreme")
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
    Edit("scan", "hard", jpeg(scanned)),
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
    Edit("photo of a screen", "extreme", jpeg(off_screen, 70)),
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
