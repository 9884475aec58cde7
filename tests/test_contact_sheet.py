"""Contact sheets: the plan as pictures, for reviewing without a display."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Recorder, find, index, resaved, save_picture, tree
from PIL import Image, ImageDraw
from review_sets import found_of

from dedup.errors import DedupError
from dedup.keep import Group, Match, Member
from dedup.review.contact_sheet import GREEN, RED, write_contact_sheets
from dedup.store import Picture
from dedup.tiers import EDITED, LOOK_ALIKE, SAME_PICTURE
from dedup.wording import how_similar
from dedup.workflow import Found

COLOURS = {GREEN: "green", RED: "red"}
SIDE = 150  # no frame is narrower


def frames(page: Path) -> list[str]:
    """The colours of the frames on a page in reading order, found by their upper edges."""
    pixels = np.asarray(Image.open(page).convert("RGB"))
    edges = []
    for colour, name in COLOURS.items():
        mask = (pixels == colour).all(axis=2)
        for row in np.flatnonzero(mask.sum(axis=1) >= SIDE):
            for start, stop in runs(mask[row]):
                edges.append((int(row), start, stop, name))
    thick = {(row, start, stop, name) for row, start, stop, name in edges}
    first_rows = sorted(edge for edge in thick if (edge[0] - 1, *edge[1:]) not in thick)
    # Each frame has an upper and a lower edge in the same columns.
    found = []
    for columns in {edge[1:3] for edge in first_rows}:
        mine = [edge for edge in first_rows if edge[1:3] == columns]
        assert len(mine) % 2 == 0
        found += mine[::2]
    return [name for _, _, _, name in sorted(found)]


def runs(line: np.ndarray) -> list[tuple[int, int]]:
    ends = np.flatnonzero(np.diff(np.concatenate([[0], line.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(ends[::2], ends[1::2], strict=True) if b - a >= SIDE]


def sheets(found: Found, folder: Path) -> list[Path]:
    return write_contact_sheets(found.groups, folder, Recorder())


def three_pictures(folder: Path) -> Found:
    first = save_picture(folder / "a.png", 1)
    resaved(first, folder / "a small.png", 0.5)
    resaved(first, folder / "a tiny.png", 0.25)
    return found_of(folder, [["a.png", "a small.png", "a tiny.png"]])


def with_marks(group: Group, *marked: bool) -> Group:
    rows = zip(group.others, marked, strict=True)
    return Group(group.keeper, tuple(Member(one.picture, one.similarity, one.tier, mark) for one, mark in rows))


def test_the_sheet_is_a_picture_with_what_stays_in_green_and_what_goes_in_red(folder: Path, tmp_path: Path) -> None:
    (page,) = sheets(three_pictures(folder), tmp_path / "sheets")
    assert page.name == "sheet-001.png"
    with Image.open(page) as image:
        assert image.format == "PNG"
        image.load()
    assert frames(page) == ["green", "red", "red"]


def test_the_colours_are_the_marks_and_not_the_order(folder: Path, tmp_path: Path) -> None:
    # Fault 8: the colours ignored what was really going to be removed.
    (group,) = three_pictures(folder).groups
    for number, marks in enumerate([(True, False), (False, True), (False, False)]):
        (page,) = write_contact_sheets([with_marks(group, *marks)], tmp_path / str(number), Recorder())
        assert frames(page) == ["green", *("red" if mark else "green" for mark in marks)]


def test_the_tier_and_the_sentence_stand_below_each_picture(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        save_picture(folder / f"{number}.png", number, (60, 40))
    long = "the same picture, edited, 50 % size, cropped (56 % of the frame), brighter, in other colours"
    rows = ["0.png", ("1.png", SAME_PICTURE, "the same picture, smaller"), ("2.png", EDITED, long), "3.png"]
    written: list[tuple[float, float, float, str]] = []
    draw_text = ImageDraw.ImageDraw.text

    def text(self: ImageDraw.ImageDraw, at: tuple[float, float], words: str, **options: Any) -> None:
        written.append((*at, self.textlength(words, font=options["font"]), words))
        draw_text(self, at, words, **options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    (page,) = sheets(found_of(folder, [rows], marked=[SAME_PICTURE]), tmp_path / "sheets")
    columns = sorted({left for left, *_ in written})
    below = [" ".join(words for left, _, _, words in written[1:] if left == column) for column in columns]
    assert len(below) == 4
    assert below[0].endswith("keeper")
    assert f"remove   {how_similar(Match(0, 0.97, SAME_PICTURE))} the same picture, smaller" in below[1]
    assert f"keep   {how_similar(Match(0, 0.97, EDITED))} {long}" in below[2]
    with Image.open(page) as image:
        assert max(top for _, top, _, _ in written) + 16 <= image.height, "nothing is cut at the lower edge"
    cell = columns[1] - columns[0]
    assert all(length < cell for _, _, length, words in written[1:]), "nothing reaches the next picture"


def test_the_pictures_themselves_are_on_the_sheet(folder: Path, tmp_path: Path) -> None:
    for name, colour in (("a", (250, 120, 10)), ("b", (10, 120, 250))):
        image = Image.new("RGB", (200, 150), colour)
        image.putpixel((0, 0), (0, 0, 0))
        image.save(folder / f"{name}.png")
        shutil.copy2(folder / f"{name}.png", folder / f"{name} copy.png")
    index(folder)
    (page,) = sheets(find(folder), tmp_path / "sheets")
    pixels = np.asarray(Image.open(page).convert("RGB"))
    for colour in ((250, 120, 10), (10, 120, 250)):
        assert (pixels == colour).all(axis=2).sum() > 2 * 100 * 100


def test_a_picture_that_vanished_or_broke_is_a_card_in_its_place(folder: Path, tmp_path: Path) -> None:
    found = three_pictures(folder)
    (folder / "a small.png").unlink()
    (folder / "a tiny.png").write_bytes(b"broken")
    (page,) = sheets(found, tmp_path / "sheets")
    assert frames(page) == ["green", "red", "red"]
    pixels = np.asarray(Image.open(page).convert("RGB"))
    assert (pixels == (90, 90, 90)).all(axis=2).sum() > 2 * 100 * 100


@pytest.mark.parametrize("count", [20, 41])
def test_many_sets_make_several_pages_and_every_set_is_on_one(folder: Path, tmp_path: Path, count: int) -> None:
    first = save_picture(folder / "a.png", 1, (60, 40))
    picture = Picture(folder, "a.png", first.stat().st_size, 0, 60, 40, "PNG", b"\0" * 32)
    groups = [Group(picture, (Member(picture, 0.97, LOOK_ALIKE),))] * count
    pages = write_contact_sheets(groups, tmp_path / "sheets", Recorder())
    assert [page.name for page in pages] == [f"sheet-{number + 1:03d}.png" for number in range(-(-count // 20))]
    assert sum(frames(page).count("red") for page in pages) == count
    assert sum(frames(page).count("green") for page in pages) == count


def test_a_set_of_many_pictures_shows_them_all(folder: Path, tmp_path: Path) -> None:
    first = save_picture(folder / "a.png", 1, (60, 40))
    for number in range(22):
        shutil.copy2(first, folder / f"a copy {number:02d}.png")
    index(folder)
    (page,) = sheets(find(folder), tmp_path / "sheets")
    assert sorted(frames(page)) == ["green"] + ["red"] * 22


def test_nothing_is_ever_overwritten(folder: Path, tmp_path: Path) -> None:
    found = three_pictures(folder)
    (tmp_path / "sheets").mkdir()
    mine = save_picture(tmp_path / "sheets" / "sheet-001.png", 9)
    before = mine.read_bytes()
    with pytest.raises(DedupError) as caught:
        sheets(found, tmp_path / "sheets")
    assert caught.value.remedy
    assert mine.read_bytes() == before


def test_a_file_in_the_place_of_the_folder_is_explained(folder: Path, tmp_path: Path) -> None:
    found = three_pictures(folder)
    (tmp_path / "sheets").write_text("mine")
    with pytest.raises(DedupError, match="sheets"):
        sheets(found, tmp_path / "sheets")
    assert (tmp_path / "sheets").read_text() == "mine"


@pytest.mark.parametrize(
    "name",
    [
        "日本語 été 🦊.png",
        "line\nbreak\ttab.png",
        "\x1b[31m\u202ered.png",
        "x" * 200 + ".png",
        "$a_{$ 100% <b>&.png",
        os.fsdecode(b"caf\xe9 \xff.png"),
    ],
    ids=ascii,
)
def test_any_name_can_be_on_a_sheet(folder: Path, tmp_path: Path, name: str) -> None:
    first = save_picture(folder / "a.png", 1)
    shutil.copy2(first, folder / name)
    index(folder)
    (page,) = sheets(find(folder), tmp_path / "sheets")
    assert frames(page) == ["green", "red"]


def test_writing_sheets_changes_nothing_in_the_folder(folder: Path, tmp_path: Path) -> None:
    found = three_pictures(folder)
    before = tree(folder)
    sheets(found, tmp_path / "sheets")
    assert tree(folder) == before


def test_no_sets_make_no_sheets(tmp_path: Path) -> None:
    assert write_contact_sheets([], tmp_path / "sheets", Recorder()) == []
