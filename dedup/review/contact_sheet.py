"""The sets as PNG pages: for reviewing without a display, and as a record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from dedup import permissions
from dedup.apart import Apart
from dedup.errors import DedupError
from dedup.keep import Group
from dedup.progress import Progress, Report
from dedup.review.captions import FACTS, reasons, wrapped
from dedup.review.thumbnails import load_or_explain
from dedup.store import Picture
from dedup.wording import dimensions, printable, shortened, size

SETS_PER_PAGE = 20
PICTURES_PER_SET = 60
PICTURES_PER_ROW = 5
CELL, CAPTION_LINE, CAPTION_LINES, MARGIN, TITLE = 220, 16, 7, 14, 30
CAPTION = 4 + CAPTION_LINE * CAPTION_LINES
CHARACTERS = 34  # of a line below a picture
GREEN, RED, GREY, INK = (40, 150, 70), (200, 50, 45), (150, 150, 150), (30, 30, 30)


def write_contact_sheets(groups: Sequence[Group], folder: Path, report: Report) -> list[Path]:
    """Write ``sheet-001.png`` and so on into a new or empty folder; their paths.

    Green is kept, red is proposed for removal, as everywhere. Nothing is overwritten.
    """
    written: list[Path] = []
    try:
        mode = permissions.of_folders({picture.root for group in groups for picture in group.pictures})
        permissions.make_folder(folder, mode)
        with Apart() as apart:
            for number, total, page in draw_pages(groups, apart):
                report(Progress("contact sheets", number - 1, total))
                path = folder / f"sheet-{number:03d}.png"
                with permissions.new_file(path, mode) as file:
                    page.save(file, "PNG")
                written.append(path)
    except OSError as problem:
        raise DedupError(
            f"The contact sheet cannot be written to {folder}: {problem.strerror}.", "Choose another folder."
        ) from problem
    report(Progress("contact sheets", len(written), len(written)))
    return written


def draw_pages(groups: Sequence[Group], apart: Apart) -> Iterator[tuple[int, int, Image.Image]]:
    """Each page drawn, with its number from 1 and how many there are; the pictures are decoded apart."""
    starts = range(0, len(groups), SETS_PER_PAGE)
    for number, start in enumerate(starts, 1):
        yield number, len(starts), _draw_page(groups[start : start + SETS_PER_PAGE], start, len(groups), apart)


def _draw_page(groups: Sequence[Group], before: int, total: int, apart: Apart) -> Image.Image:
    rows = [-(-min(len(group.pictures), PICTURES_PER_SET) // PICTURES_PER_ROW) for group in groups]
    widest = max(len(group.pictures) for group in groups)
    width = MARGIN + max(2, min(PICTURES_PER_ROW, widest)) * (CELL + MARGIN)
    height = MARGIN + sum(TITLE + count * (CELL + CAPTION + MARGIN) for count in rows)
    page = Image.new("RGB", (width, height), (250, 250, 250))
    draw = ImageDraw.Draw(page)
    top = MARGIN
    for number, (group, count) in enumerate(zip(groups, rows, strict=True), before + 1):
        title = f"Duplicate Set {number} of {total}"
        if len(group.pictures) > PICTURES_PER_SET:
            title += f"   (the first {PICTURES_PER_SET} of its {len(group.pictures):,} pictures)"
        draw.text((MARGIN, top), title, fill=INK, font=_font(17))
        top += TITLE
        _draw_group(page, draw, group, top, apart)
        top += count * (CELL + CAPTION + MARGIN)
    return page


def _draw_group(page: Image.Image, draw: ImageDraw.ImageDraw, group: Group, top: int, apart: Apart) -> None:
    kept = "keeper" + (f"   kept: {group.reason}" if group.reason else "")
    cells = [(group.keeper, GREEN, wrapped(kept, CHARACTERS, CAPTION_LINES - FACTS))]
    for member in group.others:
        verb, colour = ("remove", RED) if member.marked else ("keep", GREEN)
        cells.append((member.picture, colour, reasons(verb, member, CHARACTERS, CAPTION_LINES - FACTS)))
    for place, (picture, colour, why) in enumerate(cells[:PICTURES_PER_SET]):
        left = MARGIN + place % PICTURES_PER_ROW * (CELL + MARGIN)
        down = top + place // PICTURES_PER_ROW * (CELL + CAPTION + MARGIN)
        shown = load_or_explain(picture.full_path, CELL - 12, apart)
        page.paste(shown, (left + (CELL - shown.width) // 2, down + (CELL - shown.height) // 2))
        _draw_frame(draw, place + 1, picture, colour, why, left, down)


def _draw_frame(
    draw: ImageDraw.ImageDraw,
    number: int,
    picture: Picture,
    colour: tuple[int, int, int],
    why: list[str],
    left: int,
    top: int,
) -> None:
    draw.rectangle((left, top, left + CELL - 1, top + CELL - 1), outline=colour, width=5)
    name, folder = printable(picture.full_path.name), printable(picture.full_path.parent)
    facts = f"{dimensions(picture)}   {size(picture.size)}"
    lines = [f"{number}  {shortened(name, 30)}", f"in {shortened(folder, 30)}", facts, *why]
    for row, line in enumerate(lines):
        draw.text((left, top + CELL + 3 + CAPTION_LINE * row), line, fill=INK, font=_font(12))


def _font(points: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    try:
        return ImageFont.load_default(points)
    except TypeError:  # Pillow-SIMD, older than the sizes
        return ImageFont.load_default()
