"""Small sound files of every kind the tool reads, from which damaged ones are made."""

from __future__ import annotations

import io
import json
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

Seeds = dict[str, list[bytes]]


def picture_seeds() -> dict[str, bytes]:
    """Name -> the bytes of a small picture, for every format and the variants of its decoder."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    rgb, grey, alpha = drawn("RGB"), drawn("L"), drawn("RGBA")
    more = [rgb.copy().transpose(Image.Transpose.FLIP_LEFT_RIGHT), rgb.rotate(90)]
    frames: dict[str, Any] = {"save_all": True, "append_images": more, "duration": 80, "loop": 0}
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x8825] = 6, "a caption", {1: "N", 2: (52.0, 31.0, 12.0)}
    made = {
        "jpeg": saved(rgb, "JPEG", quality=80, exif=exif),
        "jpeg progressive": saved(rgb, "JPEG", progressive=True, icc_profile=b"\0" * 128),
        "jpeg grey": saved(grey, "JPEG"),
        "jpeg cmyk": saved(rgb.convert("CMYK"), "JPEG"),
        "mpo": saved(rgb, "MPO", save_all=True, append_images=more),
        "png": saved(rgb, "PNG", exif=exif, dpi=(72, 72)),
        "png alpha": saved(alpha, "PNG"),
        "png palette": saved(rgb.quantize(16), "PNG", transparency=3),
        "png 16": saved(Image.new("I;16", (40, 30), 4000), "PNG"),
        "apng": saved(rgb, "PNG", **frames),
        "gif": saved(rgb, "GIF", **frames),
        "webp": saved(rgb, "WEBP", exif=exif),
        "webp lossless": saved(alpha, "WEBP", lossless=True),
        "webp animated": saved(rgb, "WEBP", **frames),
        "bmp": saved(rgb, "BMP"),
        "bmp palette": saved(rgb.quantize(16), "BMP"),
        "dib": saved(rgb, "DIB"),
        "tiff": saved(rgb, "TIFF"),
        "tiff pages": saved(rgb, "TIFF", save_all=True, append_images=more),
        "tiff float": saved(grey.convert("F"), "TIFF"),
        "tiff cmyk": saved(rgb.convert("CMYK"), "TIFF", compression="packbits"),
        "tiff lab": saved(rgb.convert("LAB"), "TIFF"),
        "heif": saved(rgb, "HEIF", quality=60, exif=exif.tobytes()),
        "avif": saved(rgb, "AVIF", quality=60),
        "jpeg 2000": saved(rgb, "JPEG2000"),
        "jpeg 2000 codestream": saved(rgb, "JPEG2000", no_jp2=True),
        "ico": saved(alpha, "ICO", sizes=[(16, 16), (32, 32)]),
        "ico bmp": saved(alpha, "ICO", sizes=[(16, 16)], bitmap_format="bmp"),
        "tga": saved(rgb, "TGA", compression="tga_rle"),
        "pcx": saved(rgb, "PCX"),
        "ppm": saved(rgb, "PPM"),
        "pgm plain": b"P2\n4 3\n255\n" + b" ".join(b"%d" % value for value in range(0, 240, 20)),
        "pbm": saved(grey.convert("1"), "PPM"),
        "dds": saved(alpha, "DDS"),
        "dds dxt5": saved(alpha, "DDS", pixel_format="DXT5"),
        "sgi": saved(rgb, "SGI"),
        "qoi": qoi(),
    }
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg"):
        made[f"tiff {compression}"] = saved(rgb, "TIFF", compression=compression)
    made["tiff group4"] = saved(grey.convert("1"), "TIFF", compression="group4")
    return made


def drawn(mode: str) -> Image.Image:
    """A little picture with something in it."""
    image = Image.new("RGB", (48, 36), (90, 140, 60))
    pen = ImageDraw.Draw(image)
    for step in range(6):
        pen.ellipse((step * 7, step * 4, step * 7 + 12, step * 4 + 14), fill=(40 * step, 250 - 40 * step, 17 * step))
    return image.convert(mode)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes Pillow writes."""
    file = io.BytesIO()
    # Saving leaves settings behind on an image, which another format takes for its own.
    more = {"append_images": [one.copy() for one in options.pop("append_images")]} if "append_images" in options else {}
    image.copy().save(file, kind, **options, **more)
    return file.getvalue()


def qoi() -> bytes:
    """A QOI file of every kind of chunk (Pillow may lack a writer)."""
    chunks = b"\xfe\x10\x20\x30" + b"\xff\x40\x50\x60\x80" + b"\x6a" + b"\xa0\x88" + b"\x05" + b"\xc3"
    return b"qoif" + (4).to_bytes(4, "big") + (3).to_bytes(4, "big") + b"\4\0" + chunks * 2 + b"\0" * 7 + b"\1"


def plan_seeds() -> list[bytes]:
    """A plan as it is saved."""
    stamp = {"path": "/pictures/b.jpg", "size": 3, "mtime_ns": 5, "digest": "ab" * 32}
    row = {"folder": "/pictures", "file": stamp, "keeper": {**stamp, "path": "/pictures/a.jpg"}}
    row |= {"similarity": 0.99, "tier": "same picture"}
    plan = {"plan": 1, "encoder": "fake", "threshold": 0.96, "folders": ["/pictures"], "removals": [row, row]}
    return [json.dumps({**plan, "created": "2024-05-01T10:00:00+00:00"}, indent=1).encode()]


def settings_seeds() -> list[bytes]:
    """Settings as they are saved, now and in the first files."""
    own = {"kind": "", "threshold": 0.9, "candidates": -1.0, "batch_size": 0, "weights": "", "parameters": ""}
    new = {"encoder": "pdq", "num_workers": 2, "max_megapixels": 100, "mark": "same", "encoders": {"pdq": own}}
    return [json.dumps(new).encode(), json.dumps({"encoder": "phash", "threshold": 0}).encode()]


def verification_seeds() -> list[bytes]:
    """What the verifier keeps of a pair."""
    from dedup.verify.verification import Verification

    return [Verification("edited", 0.5, findings=("cropped", "1:upscaled"), where="left").to_json().encode()]


def database_seeds() -> list[bytes]:
    """A folder's database with pictures, vectors, verdicts, verifications and a run in the journal."""
    import numpy as np

    from dedup.provenance import Provenance
    from dedup.store import Catalogue, Entry, Indexed, Journal, Verifications

    place = Path(tempfile.mkdtemp())
    made_by = Provenance("fake", "none", "final", 1, 48)
    try:
        with Catalogue(place, create=True) as store:
            vectors = np.eye(12, 48, dtype=np.float32)
            store.save(
                [Indexed(f"{n}.png", 9, 9, bytes([n]) * 32, 4, 4, "PNG", 40.0, "", (vectors[n],)) for n in range(12)],
                [made_by],
            )
            Verifications([place], 1).put([((b"\0" * 32, b"\1" * 32), verification_seeds()[0].decode(), {place})])
            entry = Entry(
                0, "20240501-100000-abcdef", "x.png", ".dedup-trash/r/x.png", "", 9, 9, b"1" * 32, "", 1.0, ""
            )
            Journal(store).mark(Journal(store).begin(entry.run_id, [str(place)], [entry]), "moved")
        with closing(sqlite3.connect(place / "image_database.db")) as database:
            database.execute("PRAGMA journal_mode = DELETE")
        return [(place / "image_database.db").read_bytes()]
    finally:
        shutil.rmtree(place)


SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "picture": lambda: list(picture_seeds().values()),
    "plan": plan_seeds,
    "settings": settings_seeds,
    "verification": verification_seeds,
    "database": database_seeds,
}


def chosen(chance: random.Random, seeds: Seeds) -> tuple[str, bytes, bytes]:
    """(what it is for, the bytes to damage, other bytes of the same kind); pictures three times in four."""
    kind = "picture" if chance.random() < 0.75 else chance.choice(sorted(seeds))
    return kind, chance.choice(seeds[kind]), chance.choice(seeds[kind])
