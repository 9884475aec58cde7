"""Opening pictures: upright, in RGB, and every damaged or foreign file reported in words."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import PROJECT, picture, save_picture
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from dedup import images
from dedup.errors import UnreadablePicture
from dedup.images import Decoded, decode

RED, GREEN, BLUE, WHITE = (230, 30, 30), (30, 200, 40), (20, 40, 220), (250, 250, 250)
GREY = (128, 128, 128)
images.register_formats()


def written(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes of a picture file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def shown(image: Image.Image, kind: str = "PNG", **options: Any) -> np.ndarray:
    """The pixels that come back from a file made of the picture, (height, width, 3)."""
    decoded = decode(written(image, kind, **options)).image
    assert decoded.mode == "RGB"
    return np.asarray(decoded).astype(int)


def colours(pixels: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(int(value) for value in pixel) for pixel in pixels.reshape(-1, 3)}


def is_near(first: Any, second: Any, tolerance: int) -> bool:
    return bool(np.abs(np.asarray(first).astype(int) - np.asarray(second).astype(int)).max() <= tolerance)


def reason(data: bytes, size: int | None = None, max_megapixels: int = 100) -> str:
    with pytest.raises(UnreadablePicture) as problem:
        decode(data, size, max_megapixels)
    return problem.value.message


# -- decoding at the size asked for -----------------------------------------------------


def test_a_jpeg_is_decoded_reduced_to_no_less_than_twice_the_size_asked_for() -> None:
    data = written(picture(1, (1600, 1200)), "JPEG", quality=90)
    whole, small = decode(data), decode(data, 100)
    assert (whole.image.size, whole.width, whole.height) == ((1600, 1200), 1600, 1200)
    assert (small.width, small.height) == (1600, 1200)
    assert small.image.size == (400, 300)
    assert is_near(small.image, whole.image.resize((400, 300), Image.Resampling.BOX), 60)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 700), st.integers(1, 700), st.integers(1, 400))
def test_a_reduced_jpeg_never_has_less_than_twice_the_size_unless_the_file_has(
    width: int, height: int, size: int
) -> None:
    decoded = decode(written(Image.new("RGB", (width, height), RED), "JPEG"), size)
    assert (decoded.width, decoded.height) == (width, height)
    assert min(decoded.image.size) >= min(2 * size, width, height)
    assert max(decoded.image.size) <= max(width, height)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "TIFF"])
def test_other_formats_come_back_whole(kind: str) -> None:
    decoded = decode(written(picture(1, (640, 480)), kind), 32)
    assert decoded.image.size == (640, 480)
    assert decoded.format == kind


# -- orientation ------------------------------------------------------------------------

# How a file with each EXIF orientation holds a picture that is shown upright (CIPA DC-008, Orientation).
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
WRITERS: dict[str, tuple[str, dict[str, Any]]] = {
    "JPEG": ("JPEG", {"quality": 95}),
    "PNG": ("PNG", {}),
    "WebP": ("WEBP", {"quality": 95}),
    "TIFF": ("TIFF", {}),
    "TIFF-LZW": ("TIFF", {"compression": "tiff_lzw"}),
    "HEIC": ("HEIF", {"quality": 95}),
    "AVIF": ("AVIF", {"quality": 95}),
}


def four_corners() -> Image.Image:
    """Four colours that tell all eight ways of turning and mirroring apart."""
    image = Image.new("RGB", (96, 64), WHITE)
    image.paste(RED, (0, 0, 48, 32))
    image.paste(GREEN, (48, 0, 96, 32))
    image.paste(BLUE, (0, 32, 48, 64))
    return image


def corners(image: Image.Image) -> list[Any]:
    x, y = image.width // 4, image.height // 4
    return [image.getpixel(place) for place in ((x, y), (3 * x, y), (x, 3 * y), (3 * x, 3 * y))]


def stored_with(orientation: int, kind: str) -> bytes:
    turn = STORED[orientation]
    stored = four_corners() if turn is None else four_corners().transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    name, options = WRITERS[kind]
    return written(stored, name, exif=exif.tobytes(), **options)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", WRITERS)
def test_a_picture_is_shown_upright_whatever_its_orientation(kind: str, orientation: int) -> None:
    decoded = decode(stored_with(orientation, kind))
    assert decoded.image.size == (96, 64)
    assert (decoded.width, decoded.height) == (96, 64)
    assert is_near(corners(decoded.image), [RED, GREEN, BLUE, WHITE], 30)


@pytest.mark.parametrize("orientation", STORED)
def test_a_reduced_jpeg_is_upright_too_and_tells_its_full_upright_size(orientation: int) -> None:
    decoded = decode(stored_with(orientation, "JPEG"), 8)
    assert decoded.image.size == (24, 16)
    assert (decoded.width, decoded.height) == (96, 64)
    assert is_near(corners(decoded.image), [RED, GREEN, BLUE, WHITE], 40)


def orientation_entry(kind: int, count: int, value: bytes) -> bytes:
    """An EXIF block with nothing but an orientation, of any type."""
    return b"Exif\0\0" + struct.pack(">2sHIHHHI4sI", b"MM", 42, 8, 1, 0x0112, kind, count, value, 0)


def test_an_orientation_written_by_hand_is_understood() -> None:
    stored = four_corners().transpose(Image.Transpose.ROTATE_90)
    decoded = decode(written(stored, "JPEG", quality=95, exif=orientation_entry(3, 1, b"\0\x06\0\0")))
    assert is_near(corners(decoded.image), [RED, GREEN, BLUE, WHITE], 30)


@pytest.mark.parametrize(
    "entry",
    [
        orientation_entry(3, 1, b"\0\0\0\0"),
        orientation_entry(3, 1, b"\0\x09\0\0"),
        orientation_entry(3, 1, b"\xff\xff\0\0"),
        orientation_entry(9, 1, b"\xff\xff\xff\xfa"),
        orientation_entry(2, 4, b"top\0"),
        orientation_entry(7, 3, b"\6\6\6\0"),
        orientation_entry(5, 1, b"\xff\xff\xff\xff"),
        orientation_entry(99, 1, b"\0\x06\0\0"),
    ],
    ids="zero nine huge negative text bytes fraction unknown".split(),
)
def test_an_orientation_that_means_nothing_leaves_the_picture_as_it_lies(entry: bytes) -> None:
    decoded = decode(written(four_corners(), "JPEG", quality=95, exif=entry))
    assert is_near(corners(decoded.image), [RED, GREEN, BLUE, WHITE], 30)


@pytest.mark.parametrize(
    "block",
    [b"Exif\0\0", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0garbage" * 9],
    ids=["empty", "cut off", "points nowhere", "garbage"],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_damaged_exif_block_does_not_cost_the_picture(kind: str, block: bytes) -> None:
    decoded = decode(written(four_corners(), kind, exif=block))
    assert is_near(corners(decoded.image), [RED, GREEN, BLUE, WHITE], 40)


# -- modes ------------------------------------------------------------------------------


def test_a_transparent_picture_lies_on_mid_grey() -> None:
    image = Image.new("RGBA", (40, 20), (255, 255, 255, 0))
    image.paste((255, 0, 0, 255), (0, 0, 10, 20))
    image.paste((0, 0, 0, 128), (10, 0, 20, 20))
    for kind in ("PNG", "TIFF"):
        pixels = shown(image, kind)
        assert tuple(pixels[10, 5]) == (255, 0, 0)
        assert is_near(pixels[10, 15], (64, 64, 64), 1)
        assert tuple(pixels[10, 30]) == GREY
    pixels = shown(image, "WEBP", lossless=True, exact=True)
    assert is_near(pixels[10, 30], GREY, 1)


def test_white_art_and_black_art_on_nothing_do_not_look_alike() -> None:
    for ink in (0, 255):
        image = Image.new("LA", (20, 20), (ink, 0))
        image.paste((ink, 255), (5, 5, 15, 15))
        assert colours(shown(image)) == {GREY, (ink, ink, ink)}


def test_a_transparent_colour_of_a_palette_is_grey() -> None:
    image = Image.new("P", (20, 20), 0)
    image.putpalette([255, 255, 255, 255, 0, 0, 0, 0, 255])
    image.paste(1, (0, 0, 10, 20))
    for kind, transparency in (("PNG", 0), ("PNG", bytes([0, 255])), ("GIF", 0)):
        assert colours(shown(image, kind, transparency=transparency)) == {GREY, (255, 0, 0)}


@pytest.mark.parametrize(
    ("mode", "white", "black"), [("RGB", (255, 255, 255), (0, 0, 0)), ("L", 255, 0), ("1", 1, 0)], ids=["RGB", "L", "1"]
)
def test_one_colour_declared_transparent_is_grey(mode: str, white: Any, black: Any) -> None:
    image = Image.new(mode, (20, 20), white)
    image.paste(black, (0, 0, 10, 20))
    assert colours(shown(image, transparency=white)) == {GREY, (0, 0, 0)}


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_the_inks_of_a_cmyk_picture_have_their_colours(kind: str) -> None:
    image = Image.new("CMYK", (32, 32), (0, 255, 255, 0))
    image.paste((255, 255, 0, 0), (16, 0, 32, 32))
    pixels = shown(image, kind)
    assert is_near(pixels[16, 4], (255, 0, 0), 12)
    assert is_near(pixels[16, 28], (0, 0, 255), 12)


def ramp(top: int, kind: type = np.uint16) -> np.ndarray:
    return np.linspace(0, top, 64 * 64).reshape(64, 64).astype(kind)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_bright_16_bit_grey_keeps_its_shades(kind: str) -> None:
    pixels = shown(Image.fromarray(ramp(65535)), kind)
    assert is_near(pixels[:, :, 0], ramp(255, np.float64).round(), 1)
    assert (pixels[:, :, 0] == pixels[:, :, 2]).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_dark_16_bit_grey_stays_dark(kind: str) -> None:
    assert shown(Image.fromarray(ramp(1000)), kind).max() <= 4
    assert shown(Image.fromarray(ramp(200)), kind).max() <= 1


def test_a_16_bit_grey_with_a_transparent_shade_keeps_its_other_shades() -> None:
    pixels = shown(Image.fromarray(ramp(65535)), transparency=0)
    assert is_near(pixels[1:, :, 0], ramp(255, np.float64)[1:].round(), 1)


def test_a_16_bit_pgm_keeps_its_shades() -> None:
    data = b"P5 64 64 65535\n" + ramp(65535).astype(">u2").tobytes()
    assert is_near(np.asarray(decode(data).image)[:, :, 0], ramp(255, np.float64).round(), 1)


@pytest.mark.parametrize("top", [1, 255, 65535])
def test_a_float_tiff_keeps_its_shades_whatever_its_range(top: int) -> None:
    pixels = shown(Image.fromarray(ramp(top, np.float32)), "TIFF")
    assert is_near(pixels[:, :, 1], ramp(255, np.float64).round(), 1)


def test_a_float_tiff_with_holes_is_shown() -> None:
    values = ramp(1, np.float32)
    values[0, :3] = np.nan, np.inf, -np.inf
    pixels = shown(Image.fromarray(values), "TIFF")
    assert is_near(pixels[1:, :, 0], ramp(255, np.float64)[1:].round(), 1)


def test_a_lab_tiff_has_its_colours() -> None:
    image = Image.new("LAB", (16, 16), (136, 208, 195))  # CIE Lab of sRGB red
    image.paste((0, 128, 128), (8, 0, 16, 16))
    pixels = shown(image, "TIFF")
    assert is_near(pixels[8, 4], (255, 0, 0), 14)
    assert is_near(pixels[8, 12], (0, 0, 0), 14)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_a_1_bit_picture_is_black_and_white(kind: str) -> None:
    image = Image.new("1", (32, 32), 1)
    image.paste(0, (0, 0, 16, 32))
    assert colours(shown(image, kind)) == {(0, 0, 0), (255, 255, 255)}


# -- animations -------------------------------------------------------------------------

ANIMATIONS: list[tuple[str, dict[str, Any]]] = [
    ("GIF", {"duration": 100}),
    ("WEBP", {"duration": 100, "lossless": True}),
    ("PNG", {"duration": 100}),
]


@pytest.mark.parametrize(("kind", "options"), ANIMATIONS, ids=["GIF", "WebP", "APNG"])
@pytest.mark.parametrize("blank", [(255, 255, 255), (0, 0, 0)], ids=["white", "black"])
def test_an_animation_that_begins_blank_shows_its_first_frame_with_something_on_it(
    kind: str, options: dict[str, Any], blank: tuple[int, int, int]
) -> None:
    empty, first, second = Image.new("RGB", (120, 90), blank), picture(4, (120, 90)), picture(5, (120, 90))
    frames = [empty, first, second]
    pixels = shown(empty, kind, save_all=True, append_images=frames[1:], **options)
    alike = np.abs(pixels - np.asarray(first)).mean()
    assert alike < 12
    assert alike < np.abs(pixels - np.asarray(second)).mean()


@pytest.mark.parametrize(("kind", "options"), ANIMATIONS, ids=["GIF", "WebP", "APNG"])
def test_an_animation_shows_its_first_frame_where_that_is_not_blank(kind: str, options: dict[str, Any]) -> None:
    first = picture(4, (120, 90))
    pixels = shown(first, kind, save_all=True, append_images=[picture(5, (120, 90))], **options)
    assert np.abs(pixels - np.asarray(first)).mean() < 12


@pytest.mark.parametrize(("kind", "options"), ANIMATIONS, ids=["GIF", "WebP", "APNG"])
def test_an_animation_of_nothing_but_blank_frames_is_a_blank_picture(kind: str, options: dict[str, Any]) -> None:
    frames = [Image.new("RGB", (60, 60), (level, 0, 0)) for level in (200, 202, 204)]
    assert is_near(shown(frames[0], kind, save_all=True, append_images=frames[1:], **options), (200, 0, 0), 2)


# -- formats ----------------------------------------------------------------------------

FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "JPEG": ("JPEG", {"quality": 92}),
    "JPEG progressive": ("JPEG", {"quality": 92, "progressive": True}),
    "PNG": ("PNG", {}),
    "GIF": ("GIF", {}),
    "WebP": ("WEBP", {}),
    "WebP lossless": ("WEBP", {"lossless": True}),
    "BMP": ("BMP", {}),
    "TIFF": ("TIFF", {}),
    "TIFF LZW": ("TIFF", {"compression": "tiff_lzw"}),
    "HEIC": ("HEIF", {}),
    "AVIF": ("AVIF", {}),
    "JPEG 2000": ("JPEG2000", {}),
    "TGA": ("TGA", {}),
    "TGA packed": ("TGA", {"compression": "tga_rle"}),
    "PCX": ("PCX", {}),
    "PPM": ("PPM", {}),
    "DDS": ("DDS", {}),
    "SGI": ("SGI", {}),
    "QOI": ("QOI", {}),
}


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_shows_the_picture(name: str) -> None:
    kind, options = FORMATS[name]
    original = picture(6, (240, 180))
    decoded = decode(written(original, kind, **options))
    assert (decoded.format, decoded.width, decoded.height) == (kind, 240, 180)
    assert np.abs(np.asarray(decoded.image).astype(int) - np.asarray(original)).mean() < 10


@pytest.mark.parametrize("size", [None, 16], ids=["whole", "reduced"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.97])
@pytest.mark.parametrize("name", FORMATS)
def test_a_truncated_file_is_reported_and_not_half_used(name: str, part: float, size: int | None) -> None:
    kind, options = FORMATS[name]
    data = written(picture(6, (240, 180)), kind, **options)
    assert reason(data[: int(len(data) * part)], size).startswith(("damaged: ", "not a picture"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_download_that_stopped_with_its_end_still_zeros_is_reported(kind: str) -> None:
    # It has the size of the good copy in bytes and in pixels: nothing else tells the two apart.
    data = written(picture(6, (640, 480)), kind)
    middle = len(data) // 2
    assert reason(data[:middle] + bytes(len(data) - middle)).startswith("damaged: ")


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_tiny_and_very_thin_pictures_are_pictures(kind: str, size: tuple[int, int]) -> None:
    decoded = decode(written(Image.new("RGB", size, RED), kind), 224)
    assert (decoded.width, decoded.height) == size
    assert is_near(np.asarray(decoded.image), RED, 3)


# -- what is not a picture --------------------------------------------------------------


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.jpg", b"not really")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (bytes(5000), "zero bytes"),
        (b"dear diary, today " * 50, "not a picture"),
        (b"<!DOCTYPE html><html><body>404 Not Found</body></html>", "web page"),
        (b"\n  <HTML><body>moved</body></HTML>", "web page"),
        (zipped(), "zip"),
        (b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(60), "resource fork"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", "not a picture"),
        (b"%PDF-1.4\n", "not a picture"),
        (b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "not a picture"),
        (b"\xff\xd8", "damaged"),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
        (bytes(range(256)) * 8, "not a picture"),
    ],
    ids="empty zeros text html HTML zip fork eps pdf svg soi signature bytes".split(),
)
def test_a_file_that_only_claims_to_be_a_picture_is_refused_in_words(folder: Path, data: bytes, words: str) -> None:
    path = folder / "claims.jpg"
    path.write_bytes(data)
    with pytest.raises(UnreadablePicture) as problem:
        images.open_upright(path)
    assert words in problem.value.message


def test_a_wrong_suffix_does_not_matter(folder: Path) -> None:
    path = folder / "really a png.jpg"
    path.write_bytes(written(picture(2), "PNG"))
    opened = images.open_upright(path, 32)
    assert (opened.format, opened.image.size) == ("PNG", (240, 180))


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_whatever_the_bytes_the_answer_is_a_picture_or_a_reason(data: bytes) -> None:
    for start in (b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"\xff\xd8\xff", b"II*\0", b"P6 "):
        try:
            answer: object = decode(start + data)
        except UnreadablePicture as problem:
            answer = problem.message
        assert isinstance(answer, Decoded) or answer


# -- bombs ------------------------------------------------------------------------------


def png_bomb(side: int) -> bytes:
    """A 1-bit PNG of side x side pixels in a few kilobytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes((side // 8 + 1) * 500)) for _ in range(side // 500)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def icon_bomb() -> bytes:
    """An icon that says 16 x 16 and holds a huge PNG."""
    inner = png_bomb(20_000)
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(inner), 22) + inner


def animation_bomb() -> bytes:
    """A GIF of 16 x 16 pixels whose second frame says it is huge."""
    blank = Image.new("P", (16, 16), 0)
    blank.putpalette([0, 0, 0, 255, 255, 255])
    dots = blank.copy()
    dots.putpixel((0, 0), 1)
    dots.putpixel((15, 15), 1)
    data = bytearray(written(blank, "GIF", save_all=True, append_images=[dots]))
    frame = data.rindex(b"\x2c\0\0\0\0\x10\0\x10\0")
    data[frame + 5 : frame + 9] = struct.pack("<HH", 20_000, 20_000)
    return bytes(data)


def pages_bomb() -> bytes:
    """A TIFF with a small blank page before a huge one."""
    huge = Image.new("1", (12_000, 12_000))
    return written(Image.new("1", (16, 16)), "TIFF", save_all=True, append_images=[huge], compression="group4")


# Decodes a file in a process of its own and says by how many megabytes the most memory it ever used grew.
MEASURE = """
import resource, sys
from dedup import images

def peak():
    if sys.platform == "linux":  # where the other figure begins with that of the parent process
        return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) >> 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 20

images.register_formats()
data = open(sys.argv[1], "rb").read()
before = peak()
try:
    images.decode(data, 224)
    print("opened")
except images.UnreadablePicture as problem:
    print(problem.message)
print(peak() - before)
"""


@pytest.mark.parametrize(
    "bomb", [lambda: png_bomb(20_000), icon_bomb, animation_bomb, pages_bomb], ids="png ico gif tiff".split()
)
def test_a_bomb_does_not_use_the_memory_it_asks_for(tmp_path: Path, bomb: Any) -> None:
    (tmp_path / "bomb").write_bytes(bomb())
    assert (tmp_path / "bomb").stat().st_size < 100_000
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, tmp_path / "bomb"], capture_output=True, text=True, cwd=PROJECT, check=True
    )
    said, megabytes = done.stdout.splitlines()
    assert int(megabytes) < 100, said


def test_a_bomb_is_refused_by_its_megapixels_and_names_the_setting() -> None:
    assert "400 megapixels is more than the limit of 100" in reason(png_bomb(20_000))
    assert "max_megapixels" in reason(png_bomb(2_000), max_megapixels=3)
    assert decode(png_bomb(2_000), max_megapixels=4).width == 2_000


def test_a_jpeg_whose_header_lies_about_its_size_is_refused() -> None:
    data = bytearray(written(picture(1), "JPEG"))
    header = data.index(b"\xff\xc0")
    data[header + 5 : header + 9] = struct.pack(">HH", 60_000, 60_000)
    assert "megapixels" in reason(bytes(data), 224)


def test_a_jpeg_may_be_larger_where_it_is_decoded_reduced() -> None:
    data = written(Image.new("RGB", (2000, 1500), RED), "JPEG")
    assert decode(data, 32, max_megapixels=1).width == 2000
    assert "3 megapixels is more than the limit of 1" in reason(data, max_megapixels=1)
    assert "megapixels" in reason(written(Image.new("RGB", (3000, 1500), RED), "JPEG"), 32, max_megapixels=1)


# -- files ------------------------------------------------------------------------------


def test_the_digest_is_the_sha256_of_the_bytes(folder: Path) -> None:
    path = save_picture(folder / "a.jpg", 1)
    data = path.read_bytes()
    assert images.digest(path) == hashlib.sha256(data).digest()
    assert images.read(path) == (data, hashlib.sha256(data).digest())


@pytest.mark.parametrize("name", ["missing.jpg", "folder.jpg", "loop.jpg"])
def test_what_cannot_be_read_is_reported(folder: Path, name: str) -> None:
    (folder / "folder.jpg").mkdir()
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    with pytest.raises(UnreadablePicture, match="cannot be read"):
        images.read(folder / name)


def test_a_file_of_many_gigabytes_is_not_read(folder: Path) -> None:
    (folder / "a.tif").touch()
    os.truncate(folder / "a.tif", 5 << 30)
    with pytest.raises(UnreadablePicture, match="larger than 2 GiB"):
        images.read(folder / "a.tif")


def test_a_thumbnail_fits_its_square_and_is_never_enlarged(folder: Path) -> None:
    large = save_picture(folder / "large.jpg", 1, (800, 300))
    small = folder / "small.png"
    Image.new("RGB", (30, 20), RED).save(small)
    assert images.thumbnail(large, 100).size == (100, 38)
    assert images.thumbnail(small, 100).size == (30, 20)


def png_with(*chunks: tuple[bytes, bytes]) -> bytes:
    """A small PNG with these chunks before its data."""
    info = PngImagePlugin.PngInfo()
    for name, value in chunks:
        info.add(name, value)
    file = io.BytesIO()
    Image.fromarray(np.arange(300, dtype=np.uint8).reshape(10, 10, 3)).save(file, "PNG", pnginfo=info)
    return file.getvalue()


SRGB_GAMMA, LINEAR = (b"gAMA", (45455).to_bytes(4, "big")), (b"gAMA", (100000).to_bytes(4, "big"))
PQ = (b"cICP", bytes([9, 16, 0, 1]))


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ([], [], True),
        ([], [(b"sRGB", b"\0")], True),
        ([SRGB_GAMMA], [], True),
        ([SRGB_GAMMA, (b"sRGB", b"\0")], [], True),
        ([LINEAR], [], False),
        ([LINEAR], [LINEAR], True),
        ([LINEAR, (b"sRGB", b"\0")], [], True),
        ([PQ], [], False),
        ([PQ], [PQ], True),
        ([PQ, (b"sRGB", b"\0")], [(b"sRGB", b"\0")], False),
    ],
)
def test_pngs_whose_numbers_mean_other_colours_have_not_the_same_pixels(
    one: list[tuple[bytes, bytes]], two: list[tuple[bytes, bytes]], same: bool
) -> None:
    assert images.same_pixels(png_with(*one), png_with(*two)) is same
