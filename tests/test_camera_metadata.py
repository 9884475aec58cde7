"""What a camera wrote is read from the header, and whatever is wrong with it counts as not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import picture
from PIL import Image

from dedup.metadata import Metadata, read_metadata


def exif_of(taken: str = "", gps: dict[int, Any] | None = None) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "A maker"  # one that holds nothing but other blocks counts as empty
    if taken:
        exif.get_ifd(0x8769)[0x9003] = taken
    if gps:
        exif.get_ifd(0x8825).update(gps)
    return exif


BONN = {1: "N", 2: (50.0, 44.0, 6.0), 3: "E", 4: (7.0, 6.0, 0.0)}


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_the_moment_and_the_place_are_read_from_every_format_that_holds_them(tmp_path: Path, name: str) -> None:
    picture(1).save(tmp_path / name, exif=exif_of("2020:05:01 10:20:30", BONN))
    found = read_metadata(tmp_path / name)
    assert found.taken == "2020-05-01T10:20:30"
    assert found.gps == pytest.approx((50.735, 7.1))


def test_south_and_west_are_negative(tmp_path: Path) -> None:
    picture(1).save(tmp_path / "a.jpg", exif=exif_of(gps={**BONN, 1: "S", 3: "W"}))
    assert read_metadata(tmp_path / "a.jpg").gps == pytest.approx((-50.735, -7.1))


@pytest.mark.parametrize("taken", ["0000:00:00 00:00:00", "    :  :     :  :  ", "yesterday", "2020:13:45 99:00:00"])
def test_a_clock_that_was_never_set_is_no_moment(tmp_path: Path, taken: str) -> None:
    picture(1).save(tmp_path / "a.jpg", exif=exif_of(taken))
    assert read_metadata(tmp_path / "a.jpg") == Metadata()


@pytest.mark.parametrize("gps", [{1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)}, {1: "N"}, {2: (1.0,)}])
def test_a_camera_without_a_fix_gives_no_place(tmp_path: Path, gps: dict[int, Any]) -> None:
    picture(1).save(tmp_path / "a.jpg", exif=exif_of(gps=gps))
    assert read_metadata(tmp_path / "a.jpg").gps is None


def test_when_a_file_was_changed_is_no_capture_date(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0132] = "2020:05:01 10:20:30"
    picture(1).save(tmp_path / "a.jpg", exif=exif)
    assert read_metadata(tmp_path / "a.jpg") == Metadata()


def test_a_file_that_cannot_be_read_has_no_metadata(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe1 no picture")
    for path in (tmp_path / "a.jpg", tmp_path / "gone.jpg", tmp_path):
        assert read_metadata(path) == Metadata()
