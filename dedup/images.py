"""Open any picture safely, upright and at the size asked for; digests of files.

Everything a decoder can do wrong ends in ``UnreadablePicture`` with a reason in words.
Formats are an explicit list: nothing here ever starts an interpreter (EPS, PDF, SVG).
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, zip_longest
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageFile, ImageStat, UnidentifiedImageError

from dedup.errors import UnreadablePicture

FORMATS = "JPEG MPO PNG GIF WEBP BMP DIB TIFF HEIF AVIF JPEG2000 ICO TGA PCX PPM DDS SGI QOI".split()
MID_GREY = (128, 128, 128)
MAX_FILE_BYTES = 2 << 30
FRAMES_TO_TRY = 12
# A JPEG is decoded at a fraction of its size, so it may be this many times larger than other formats.
JPEG_ALLOWANCE = 4
ORIENTATION_TAG = 0x0112
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Pillow warns above this number of pixels and refuses twice as many; the limit of ``decode`` comes first.
Image.MAX_IMAGE_PIXELS = 200_000_000
ImageFile.LOAD_TRUNCATED_IMAGES = False
warnings.filterwarnings("ignore", module="PIL")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


@dataclass(frozen=True, slots=True)
class Decoded:
    """An upright RGB picture and the size in pixels its file has when upright.

    ``several_frames``: the file is animated or has pages; ``image`` shows the first that is not blank.
    """

    image: Image.Image
    width: int
    height: int
    format: str
    several_frames: bool = False


@dataclass(frozen=True, slots=True)
class JpegHead:
    """A JPEG's size in pixels as it lies in the file, and its EXIF orientation (1 to 8)."""

    width: int
    height: int
    orientation: int


def digest(path: str | os.PathLike[str]) -> bytes:
    """The SHA-256 of a regular file's bytes (32 bytes); raises OSError."""
    with _opened_file(path) as file:
        return hashlib.file_digest(file, "sha256").digest()


def read(path: str | os.PathLike[str]) -> tuple[bytes, bytes]:
    """The bytes of a file and their SHA-256; raises UnreadablePicture."""
    try:
        with _opened_file(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_FILE_BYTES:
                raise UnreadablePicture("the file is larger than 2 GiB")
            # One byte more tells that it grows; one that never stops growing must not be read for ever.
            data = file.read(size + 1)
    except OSError as problem:
        raise UnreadablePicture(f"cannot be read: {problem.strerror or problem}", may_pass=True) from problem
    except MemoryError as problem:
        raise UnreadablePicture("reading it needs more memory than there is", may_pass=True) from problem
    return data, hashlib.sha256(data).digest()


def _opened_file(path: str | os.PathLike[str]) -> io.BufferedReader:
    """A regular file, open for reading; OSError of anything else, a pipe that took its place included."""
    # Without O_NONBLOCK, opening a pipe waits until somebody writes to it.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def decode(data: bytes, size: int | None = None, max_megapixels: int = 100) -> Decoded:
    """The picture in ``data``, upright and in RGB; raises UnreadablePicture with the reason.

    With ``size``, a JPEG may come back reduced to no less than twice ``size`` on its
    shorter side (decoded at 1/2, 1/4 or 1/8); other formats come back whole.
    """
    if not data:
        raise UnreadablePicture("the file is empty")
    if not data.strip(b"\0"):
        raise UnreadablePicture("the file holds nothing but zero bytes")
    register_formats()
    try:
        return _decode(data, size, max_megapixels)
    except UnreadablePicture:
        raise
    except Image.DecompressionBombError as problem:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        raise UnreadablePicture(
            f"claims more than {most:.0f} megapixels: damaged, or a decompression bomb"
        ) from problem
    except UnidentifiedImageError as problem:
        raise UnreadablePicture(_not_a_picture(data)) from problem
    except MemoryError as problem:
        raise UnreadablePicture("decoding it needs more memory than there is", may_pass=True) from problem
    except Exception as problem:  # decoders raise anything: struct.error, SyntaxError, IndexError...
        raise UnreadablePicture(f"damaged: {str(problem) or type(problem).__name__}") from problem


def jpeg_head(data: bytes, max_megapixels: int) -> JpegHead | None:
    """What a JPEG says of itself where any decoder would read its pixels alike, else None.

    That is a whole picture in YCbCr, and not too large.
    """
    if not data.startswith(b"\xff\xd8") or not data.endswith(b"\xff\xd9"):
        return None
    try:
        image = Image.open(io.BytesIO(data), formats=["JPEG"])
    except Exception:  # as in decode, which will say what is wrong
        return None
    # Adobe's mark says what the three channels are; without one they are YCbCr.
    usual = image.format == "JPEG" and image.mode == "RGB" and image.info.get("adobe_transform", 1) == 1
    if not usual or image.width * image.height > max_megapixels * 1e6:
        return None
    return JpegHead(*image.size, _orientation(image))


def turned(image: Image.Image, head: JpegHead) -> Decoded:
    """What another decoder made of a JPEG (perhaps reduced), upright, as ``decode`` gives it."""
    width, height = (head.height, head.width) if head.orientation >= 5 else (head.width, head.height)
    way = UPRIGHT.get(head.orientation)
    return Decoded(image.transpose(way) if way is not None else image, width, height, "JPEG")


def open_upright(path: str | os.PathLike[str], size: int | None = None, max_megapixels: int = 100) -> Decoded:
    """A file's picture as ``decode`` gives it."""
    return decode(read(path)[0], size, max_megapixels)


def thumbnail(path: str | os.PathLike[str], side: int, max_megapixels: int = 100) -> Image.Image:
    """A file's picture, upright, fitted into a square of ``side`` pixels, never enlarged."""
    image = open_upright(path, side, max_megapixels).image
    image.thumbnail((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return image


def same_pixels(first: bytes, second: bytes) -> bool:
    """Whether two files show the same in every respect: all frames, depth, alpha, colour profile, upright.

    Takes the bytes of files that ``decode`` reads; raises UnreadablePicture for a damaged later frame.
    """
    try:
        if _has_more_than_frames_show(first) or _has_more_than_frames_show(second):
            return False
        if _png_colours(first) != _png_colours(second):
            return False
        pairs = zip_longest(_frames_in_full(first), _frames_in_full(second))
        return all(one is not None and two is not None and _equal(one, two) for one, two in pairs)
    except Exception as problem:  # as in decode
        raise UnreadablePicture(f"damaged: {problem or type(problem).__name__}") from problem


def shown_as_stored(path: str | os.PathLike[str]) -> bool:
    """Whether a program that only converts to RGB sees what ``decode`` gives: upright, opaque, one frame."""
    try:
        with _opened_file(path) as file, Image.open(file, formats=["JPEG", "PNG", "WEBP", "BMP", "GIF"]) as image:
            plain = image.mode in ("RGB", "L") and "transparency" not in image.info
            return plain and _orientation(image) == 1 and not getattr(image, "is_animated", False)
    except Exception:  # as in decode: what cannot be opened is found out when it is decoded
        return False


def pillow_variant() -> str:
    """Which Pillow is active: stock or SIMD, with its version."""
    import PIL

    name = "Pillow-SIMD" if ".post" in PIL.__version__ else "Pillow"
    return f"{name} {PIL.__version__}"


def register_formats() -> None:
    """Teach Pillow HEIC, once per process; without pillow-heif those files are listed as unreadable."""
    if "HEIF" not in Image.OPEN:
        Image.init()
        with suppress(ImportError):
            import pillow_heif

            pillow_heif.register_heif_opener()


def _decode(data: bytes, size: int | None, max_megapixels: int) -> Decoded:
    for width, height in _sizes_within_icon(data):
        _refuse_too_large(width, height, max_megapixels)
    with _opened(data) as image:
        width, height = image.size
        kind = image.format or ""
        _refuse_too_large(width, height, max_megapixels * (JPEG_ALLOWANCE if kind in ("JPEG", "MPO") and size else 1))
        orientation = _orientation(image)
        if size is not None and kind in ("JPEG", "MPO"):
            image.draft(None, (2 * size, 2 * size))
        upright = _first_frame_not_blank(image, max_megapixels)
        # The second frame of an MPO is the same photo once more, for a 3-D or HDR display.
        several = kind != "MPO" and bool(getattr(image, "is_animated", False))
    if orientation in UPRIGHT:
        upright = upright.transpose(UPRIGHT[orientation])
        if orientation >= 5:
            width, height = height, width
    return Decoded(upright, width, height, "JPEG" if kind == "MPO" else kind, several)


Frame = tuple[tuple[object, ...], np.ndarray[Any, Any]]


def _frames_in_full(data: bytes) -> Iterator[Frame]:
    """What is shown besides the pixels, and the upright pixels at their own depth, frame by frame."""
    with _opened(data) as image:
        orientation = _orientation(image)
        for number in count():
            try:
                image.seek(number)
            except EOFError:
                return
            image.load()
            eight_bit = image.mode in ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX")
            frame = image.convert("RGBA") if eight_bit else image
            if orientation in UPRIGHT:
                frame = frame.transpose(UPRIGHT[orientation])
            yield (frame.mode, image.info.get("icc_profile"), image.info.get("duration")), np.asarray(frame)


def _has_more_than_frames_show(data: bytes) -> bool:
    """Whether a file may hold what Pillow does not give: more than 8 bits a channel, other sizes of an icon."""
    with _opened(data) as image:
        if image.format in ("ICO", "JPEG2000", "HEIF", "AVIF"):
            return True
        if image.mode.startswith(("I", "F")):
            return False  # given in full
        if image.format == "PNG":
            return data[24] > 8
        return image.format == "TIFF" and max(image.tag_v2.get(258, (8,))) > 8  # type: ignore[attr-defined]


# How a PNG may say, in four ways, that its numbers mean what they mean without a word: colours of sRGB.
_SRGB_IN_PNG = {
    b"cICP": bytes([1, 13, 0, 1]),
    b"gAMA": (45455).to_bytes(4, "big"),
    b"cHRM": b"".join(one.to_bytes(4, "big") for one in (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)),
}


def _png_colours(data: bytes) -> dict[bytes, bytes]:
    """What a PNG says its numbers mean as colours, beside a profile; empty where that is sRGB, as for all others."""
    said = dict(_png_chunks(data))
    if b"cICP" in said:
        holds: tuple[bytes, ...] = (b"cICP",)
    elif b"iCCP" in said or b"sRGB" in said:
        holds = ()  # which overrule the others; profiles are compared with the frames
    else:
        holds = (b"gAMA", b"cHRM")
    return {name: said[name] for name in holds if name in said and said[name] != _SRGB_IN_PNG[name]}


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(name, value) of the chunks before a PNG's pixels; nothing for other files."""
    place = len(PNG_SIGNATURE) if data.startswith(PNG_SIGNATURE) else len(data)
    while (name := data[place + 4 : place + 8]) not in (b"IDAT", b""):
        size = int.from_bytes(data[place : place + 4], "big")
        yield name, data[place + 8 : place + 8 + size]
        place += 12 + size


def _equal(one: Frame, two: Frame) -> bool:
    return one[0] == two[0] and np.array_equal(one[1], two[1])


def _opened(data: bytes) -> Image.Image:
    formats = [name for name in FORMATS if name in Image.OPEN]
    if data.startswith(PNG_SIGNATURE):
        # Pillow reads PNG data past wrong checksums: a download that ends in zeros would pass for whole.
        Image.open(io.BytesIO(data), formats=["PNG"]).verify()
    return Image.open(io.BytesIO(data), formats=formats)


def _sizes_within_icon(data: bytes) -> Iterator[tuple[int, int]]:
    """What the PNGs within an ICO say of their size: Pillow decodes the first on opening, whatever the icon says."""
    if data[:4] != b"\0\0\1\0":
        return
    for entry in range(int.from_bytes(data[4:6], "little")):
        offset = int.from_bytes(data[18 + 16 * entry : 22 + 16 * entry], "little")
        if data[offset : offset + 8] == PNG_SIGNATURE:
            yield (
                int.from_bytes(data[offset + 16 : offset + 20], "big"),
                int.from_bytes(data[offset + 20 : offset + 24], "big"),
            )


def _refuse_too_large(width: int, height: int, limit: int) -> None:
    megapixels = width * height / 1e6
    if megapixels > limit:
        raise UnreadablePicture(
            f"{megapixels:,.0f} megapixels is more than the limit of {limit} (setting max_megapixels)", may_pass=True
        )


def _orientation(image: Image.Image) -> int:
    # A damaged EXIF block says nothing about the pixels: such a picture is shown as it lies.
    # The decoders of HEIF and TIFF turn the picture themselves.
    if image.format in ("HEIF", "TIFF"):
        return 1
    try:
        return int(image.getexif().get(ORIENTATION_TAG, 1))
    except Exception:
        return 1


def _first_frame_not_blank(image: Image.Image, max_megapixels: int) -> Image.Image:
    """The first frame that shows something, in RGB; the very first where all are blank."""
    first = _to_rgb(image)
    if not getattr(image, "is_animated", False) or not _is_blank(first):
        return first
    for number in range(1, FRAMES_TO_TRY):
        try:
            image.seek(number)
        except EOFError:
            break
        _refuse_too_large(*image.size, max_megapixels)
        frame = _to_rgb(image)
        if not _is_blank(frame):
            return frame
    return first


def _is_blank(image: Image.Image) -> bool:
    return max(high - low for low, high in ImageStat.Stat(image.resize((64, 64))).extrema) < 8


def _to_rgb(image: Image.Image) -> Image.Image:
    image.load()
    if image.mode.startswith(("I", "F")):
        return _from_wide(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return _on_grey(image)
    if image.mode == "RGB":
        # A file of one frame has nothing more to give: what it decoded is the picture.
        return image if image.format in ("JPEG", "PNG") and not getattr(image, "is_animated", False) else image.copy()
    if image.mode == "LAB":
        return _from_lab(image)
    return image.convert("RGB")


def _on_grey(image: Image.Image) -> Image.Image:
    # Mid-grey: on white or black, white-on-transparent art would all look alike.
    whole = image.convert("RGBA")
    backdrop = Image.new("RGB", whole.size, MID_GREY)
    backdrop.paste(whole, mask=whole.getchannel("A"))
    return backdrop


def _from_wide(image: Image.Image) -> Image.Image:
    """A 16-bit, 32-bit or float picture scaled to 8 bits by the range its format means."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0.0, neginf=0.0)
    top = float(values.max(initial=0.0))
    if image.mode == "F" and top <= 1.0:
        values = values * 255.0
    elif image.mode.startswith("I;16") or top > 255.0:
        values = values * (255.0 / max(65535.0, top))
    return Image.fromarray(values.clip(0, 255).round().astype(np.uint8)).convert("RGB")


def _from_lab(image: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    assert converted is not None  # only None when converting in place
    return converted


def _not_a_picture(data: bytes) -> str:
    if data[:4] == b"\x00\x05\x16\x07":
        return "not a picture: a macOS resource fork"
    if data[:4] == b"PK\x03\x04":
        return "not a picture: a zip archive"
    if data[:100].lstrip().lower().startswith((b"<html", b"<!doctype")):
        return "not a picture: a web page"
    if data[:2] == b"\xff\xd8" or data[:4] == b"\x89PNG":
        return "damaged: the picture ends before its header does"
    return "not a picture, or in a format that cannot be read here"
