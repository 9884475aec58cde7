"""Which files belong to a picture: a rule about names, and nothing that looks like a picture of its own."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from conftest import save_picture

from dedup.companions import Beside, belongs, companions_of


def beside(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(name.encode())


def companions(folder: Path, picture: str) -> list[str]:
    return [path.name for path in companions_of(folder / picture)]


@pytest.mark.parametrize(
    "name",
    [
        "IMG_1234.CR2",
        "IMG_1234.dng",
        "IMG_1234.NEF",
        "IMG_1234.xmp",
        "IMG_1234.JPG.xmp",
        "IMG_1234.CR2.xmp",
        "img_1234.XMP",
        "IMG_1234.AAE",
        "IMG_O1234.AAE",
        "IMG_E1234.aae",
        "IMG_1234.MOV",
        "IMG_1234.mp4",
        "IMG_1234.THM",
        "IMG_1234.WAV",
        "IMG_1234.JPG.json",
        "IMG_1234.jpg.supplemental-metadata.json",
        "IMG_1234.JPG.pp3",
    ],
)
def test_a_file_of_the_picture_s_name_belongs_to_it(folder: Path, name: str) -> None:
    save_picture(folder / "IMG_1234.JPG", 1, (60, 40))
    beside(folder, name)
    assert companions(folder, "IMG_1234.JPG") == [name]


@pytest.mark.parametrize(
    "name",
    [
        "IMG_1234.PNG",
        "IMG_1234.tif",
        "IMG_1234.heic",
        "IMG_12345.CR2",
        "IMG_1234 (1).CR2",
        "IMG_1234_1.MOV",
        "IMG_1234.JPG.MOV",
        "IMG_1234.txt",
        "IMG_1234.json",
        "IMG_1234",
        "IMG_1234.PNG.xmp",
        "IMG_E12345.AAE",
        "XMP",
        ".xmp",
    ],
)
def test_another_picture_or_a_file_of_another_name_does_not(folder: Path, name: str) -> None:
    save_picture(folder / "IMG_1234.JPG", 1, (60, 40))
    beside(folder, name)
    assert companions(folder, "IMG_1234.JPG") == []


def test_a_file_of_two_pictures_is_nobody_s_own_until_one_of_them_is_gone(folder: Path) -> None:
    beside(folder, "IMG_1.JPG", "IMG_1.HEIC", "IMG_1.MOV", "IMG_1.JPG.xmp", "img_1.aae")
    assert companions(folder, "IMG_1.JPG") == ["IMG_1.JPG.xmp"]
    assert companions(folder, "IMG_1.HEIC") == []
    (folder / "IMG_1.HEIC").unlink()
    assert companions(folder, "IMG_1.JPG") == ["IMG_1.JPG.xmp", "IMG_1.MOV", "img_1.aae"]


def test_a_listing_made_before_does_not_name_what_has_gone_since(folder: Path) -> None:
    beside(folder, "IMG_1.JPG", "IMG_1.HEIC", "IMG_1.MOV")
    looked = Beside()
    assert looked.companions_of(folder / "IMG_1.JPG") == ()
    (folder / "IMG_1.HEIC").unlink()
    assert looked.companions_of(folder / "IMG_1.JPG") == (folder / "IMG_1.MOV",)
    (folder / "IMG_1.MOV").unlink()
    assert looked.companions_of(folder / "IMG_1.JPG") == ()


def test_the_edited_photo_of_a_phone_takes_only_what_is_its_own(folder: Path) -> None:
    beside(folder, "IMG_1.HEIC", "IMG_E1.HEIC", "IMG_1.AAE", "IMG_1.MOV", "IMG_E1.MOV")
    assert companions(folder, "IMG_E1.HEIC") == ["IMG_E1.MOV"]
    assert companions(folder, "IMG_1.HEIC") == ["IMG_1.AAE", "IMG_1.MOV"]


def test_links_and_folders_are_no_companions(folder: Path, tmp_path: Path) -> None:
    beside(folder, "a.jpg")
    beside(tmp_path, "elsewhere.xmp")
    (folder / "a.xmp").symlink_to(tmp_path / "elsewhere.xmp")
    (folder / "a.cr2").mkdir()
    assert companions(folder, "a.jpg") == []


def test_names_that_differ_in_how_accents_are_written_are_one(folder: Path) -> None:
    beside(folder, unicodedata.normalize("NFC", "café.jpg"), unicodedata.normalize("NFD", "café.xmp"))
    assert len(companions(folder, unicodedata.normalize("NFC", "café.jpg"))) == 1


@pytest.mark.parametrize("name", ["", ".", "..", "\0", os.fsdecode(b"\xff\xfe.jpg"), "x" * 5000 + ".jpg"], ids=ascii)
def test_odd_names_belong_to_nothing_and_do_no_harm(folder: Path, name: str) -> None:
    assert not belongs(name, "a.jpg")
    assert companions_of(folder / "no such folder" / name) == ()
