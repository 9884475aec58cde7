"""Copies by their names: a name only says where to look, the contents decide."""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from conftest import FAST, Recorder, names_of, picture, save_picture, tree
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from dedup import workflow
from dedup.filenames import original_names
from dedup.workflow import Found, plan_marked

COPY_NAMES = [
    "image-001.jpg",
    "image-1.jpg",
    "image - 2.jpg",
    "image (1).jpg",
    "image(12).jpg",
    "image (001).jpg",
    "image_1.jpg",
    "image_001.jpg",
    "image copy.jpg",
    "image copy 2.jpg",
    "image - Copy.jpg",
    "image - Copy (2).jpg",
    "Copy of image.jpg",
    "Copy (2) of image.jpg",
    "IMAGE (1).JPG",
    "copy OF Image.jpg",
]


def by_name(*folders: Path) -> Found:
    return workflow.find_by_name(list(folders), FAST, Recorder())


def offered(*folders: Path) -> list[str]:
    """The names of the files marked for removal."""
    return sorted(Path(removal.file.path).name for removal in plan_marked(by_name(*folders)).removals)


def with_comment(source: Path, target: Path, size: int = 200) -> None:
    """The same JPEG with a comment segment more: other bytes, the same pixels."""
    data = source.read_bytes()
    target.write_bytes(data[:2] + b"\xff\xfe" + (size + 2).to_bytes(2, "big") + b"x" * size + data[2:])


def frames(*seeds: int) -> list[Image.Image]:
    return [picture(seed, (60, 40)) for seed in seeds]


@pytest.mark.parametrize("name", COPY_NAMES)
def test_a_copy_with_the_same_bytes_is_offered_and_the_original_kept(folder: Path, name: str) -> None:
    shutil.copy(save_picture(folder / "image.jpg", 1), folder / name)
    found = by_name(folder)
    assert names_of(found) == [["image.jpg", name]]
    (member,) = found.groups[0].others
    assert (member.tier, member.similarity, member.marked) == ("identical file", 1.0, True)


@pytest.mark.parametrize("name", COPY_NAMES)
def test_another_picture_with_a_copys_name_is_never_offered(folder: Path, name: str) -> None:
    save_picture(folder / "image.jpg", 1)
    save_picture(folder / name, 2)
    assert by_name(folder).groups == []


def test_a_date_is_not_a_copy_number(folder: Path) -> None:
    # Fault 15: 2024-05-01.jpg was deleted because 2024-05.jpg existed.
    for seed, name in enumerate(["2024-05.jpg", "2024-05-01.jpg", "2024-05-02.jpg", "2024.jpg"]):
        save_picture(folder / name, seed)
    assert by_name(folder).groups == []


def test_files_that_are_not_pictures_are_never_offered(folder: Path) -> None:
    # Fault 15: report-2023.pdf was deleted because report.pdf existed.
    for name in ("report.pdf", "report-2023.pdf", "report-001.pdf", "notes.txt", "notes (1).txt", "x", "x (1)"):
        (folder / name).write_bytes(b"the same bytes")
    assert by_name(folder).groups == []
    assert by_name(folder).pictures == 0


def test_a_year_in_the_name_of_another_picture_is_not_a_copy(folder: Path) -> None:
    for seed, name in enumerate(["report.jpg", "report-2023.jpg", "report_2024.jpg", "report (2025).jpg"]):
        save_picture(folder / name, seed)
    assert by_name(folder).groups == []


def test_a_camera_series_is_not_a_set_of_copies(folder: Path) -> None:
    for seed in range(6):
        save_picture(folder / f"IMG_{seed:03d}.jpg", seed)
    save_picture(folder / "IMG.jpg", 77)
    assert by_name(folder).groups == []


def test_the_same_bytes_under_unrelated_names_are_not_offered(folder: Path) -> None:
    first = save_picture(folder / "sunset.jpg", 1)
    for name in ("beach.jpg", "sunset2.jpg", "sunsets (1).jpg", "my sunset.jpg", "sunset (1).jpeg"):
        shutil.copy(first, folder / name)
    assert by_name(folder).groups == []


def test_a_copy_in_another_folder_is_not_offered(folder: Path) -> None:
    first = save_picture(folder / "image.jpg", 1)
    for place in ("sub", "sub/image", "other"):
        (folder / place).mkdir(parents=True)
        shutil.copy(first, folder / place / "image (1).jpg")
    assert by_name(folder).groups == []


def test_each_folder_of_a_tree_has_its_own_copies(folder: Path) -> None:
    for seed, place in enumerate(["", "sub", "sub/deeper"]):
        shutil.copy(save_picture(folder / place / "image.jpg", seed), folder / place / "image (1).jpg")
    groups = by_name(folder).groups
    assert len(groups) == 3
    assert all(group.keeper.full_path.parent == group.others[0].picture.full_path.parent for group in groups)


def test_copies_of_copies_belong_to_the_original(folder: Path) -> None:
    first = save_picture(folder / "image.jpg", 1)
    names = ["Copy of image (1).jpg", "image (1) (1).jpg", "image (1).jpg", "image copy 2.jpg", "image copy copy.jpg"]
    for name in [*names, "image copy.jpg"]:
        shutil.copy(first, folder / name)
    assert names_of(by_name(folder)) == [["image.jpg", *sorted([*names, "image copy.jpg"])]]


def test_a_copy_of_one_picture_of_a_series_is_found_whatever_the_series_is_called(folder: Path) -> None:
    save_picture(folder / "photo.jpg", 1)
    shutil.copy(save_picture(folder / "photo_2.jpg", 2), folder / "photo_2 copy.jpg")
    assert names_of(by_name(folder)) == [["photo_2.jpg", "photo_2 copy.jpg"]]


def test_a_different_picture_among_the_copies_stays(folder: Path) -> None:
    first = save_picture(folder / "image.jpg", 1)
    shutil.copy(first, folder / "image (1).jpg")
    save_picture(folder / "image (2).jpg", 2)
    shutil.copy(first, folder / "image (3).jpg")
    assert offered(folder) == ["image (1).jpg", "image (3).jpg"]


@pytest.mark.parametrize(("original", "copy"), [(9, 0), (0, 9)])
def test_a_png_saved_with_another_compression_has_the_same_pixels_and_the_larger_stays(
    folder: Path, original: int, copy: int
) -> None:
    save_picture(folder / "image.png", 1, compress_level=original)
    save_picture(folder / "image (1).png", 1, compress_level=copy)
    larger, smaller = ("image.png", "image (1).png") if original == 0 else ("image (1).png", "image.png")
    found = by_name(folder)
    assert names_of(found) == [[larger, smaller]]
    assert [member.tier for member in found.groups[0].others] == ["same pixels"]


@pytest.mark.parametrize("commented", ["image.jpg", "image (1).jpg"])
def test_a_jpeg_with_more_metadata_has_the_same_pixels_and_stays(folder: Path, commented: str) -> None:
    plain = "image (1).jpg" if commented == "image.jpg" else "image.jpg"
    with_comment(save_picture(folder / plain, 1), folder / commented)
    found = by_name(folder)
    assert names_of(found) == [[commented, plain]]
    assert [member.tier for member in found.groups[0].others] == ["same pixels"]


def test_each_copy_is_called_what_it_is_to_the_picture_that_stays(folder: Path) -> None:
    first = save_picture(folder / "image.jpg", 1)
    shutil.copy(first, folder / "image (1).jpg")
    with_comment(first, folder / "image (2).jpg", 100)
    with_comment(first, folder / "image (3).jpg", 300)
    shutil.copy(folder / "image (3).jpg", folder / "image (4).jpg")
    found = by_name(folder)
    (group,) = found.groups
    assert group.keeper.full_path.name == "image (3).jpg"
    tiers = {
        "image.jpg": "same pixels",
        "image (1).jpg": "same pixels",
        "image (2).jpg": "same pixels",
        "image (4).jpg": "identical file",
    }
    assert {member.picture.full_path.name: member.tier for member in group.others} == tiers
    related = {one.full_path.name: found.relation(group.keeper, one) for one in group.pictures[1:]}
    assert {name: match.tier for name, match in related.items() if match} == tiers, "what the reviewer shows"


def test_one_pixel_makes_another_picture(folder: Path) -> None:
    image = picture(1)
    image.save(folder / "image.png")
    red, green, blue = image.getpixel((120, 90))
    image.putpixel((120, 90), (red, green, blue ^ 1))
    image.save(folder / "image (1).png")
    assert by_name(folder).groups == []


def test_a_resaved_or_resized_jpeg_is_not_a_copy_by_name(folder: Path) -> None:
    save_picture(folder / "image.jpg", 1, quality=92)
    save_picture(folder / "image (1).jpg", 1, quality=60)
    picture(1).resize((120, 90)).save(folder / "image (2).jpg")
    assert by_name(folder).groups == []


def test_the_same_pixels_shown_turned_are_another_picture(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    save_picture(folder / "image.jpg", 1)
    save_picture(folder / "image (1).jpg", 1, exif=exif)
    assert by_name(folder).groups == []


@pytest.mark.parametrize("suffix", ["gif", "tif", "webp", "png"])
def test_two_files_that_share_only_their_first_page_or_frame_are_not_copies(folder: Path, suffix: str) -> None:
    # A scan of several pages, an animation: the pages after the first are pictures too.
    options = {"webp": {"lossless": True}, "png": {"default_image": False}}.get(suffix, {})
    for name, seeds in (("image", (1, 2, 3)), ("image (1)", (1, 4, 5))):
        first, *others = frames(*seeds)
        first.save(folder / f"{name}.{suffix}", save_all=True, append_images=others, **options)
    assert by_name(folder).groups == []


@pytest.mark.parametrize("suffix", ["gif", "tif"])
def test_the_first_page_alone_is_not_a_copy_of_all_pages(folder: Path, suffix: str) -> None:
    first, *others = frames(1, 2, 3)
    first.save(folder / f"image.{suffix}", save_all=True, append_images=others)
    first.save(folder / f"image (1).{suffix}")
    assert by_name(folder).groups == []


def test_a_transparent_picture_and_its_look_on_grey_are_not_copies(folder: Path) -> None:
    logo = picture(1, (60, 40)).convert("RGBA")
    logo.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, 60, dtype=np.uint8), (40, 1))))
    logo.save(folder / "logo.png")
    flat = Image.new("RGB", logo.size, (128, 128, 128))
    flat.paste(logo.convert("RGB"), mask=logo.getchannel("A"))
    flat.save(folder / "logo (1).png", compress_level=0)
    assert by_name(folder).groups == []


def test_sixteen_bits_and_eight_bits_of_a_picture_are_not_copies(folder: Path) -> None:
    fine = np.arange(60 * 40, dtype=np.uint16).reshape(40, 60) * 27
    Image.fromarray(fine).save(folder / "scan.png")
    coarse = (fine.astype(np.float32) * (255.0 / 65535.0)).round().astype(np.uint8)
    Image.fromarray(coarse).save(folder / "scan (1).png", compress_level=0)
    assert by_name(folder).groups == []


@pytest.mark.parametrize("content", [b"", b"no picture at all", b"\xff\xd8\xff\xe0 and then nothing"])
def test_what_cannot_be_opened_is_never_offered_though_its_bytes_are_the_same(folder: Path, content: bytes) -> None:
    for name in ("image.jpg", "image (1).jpg", "image (2).jpg"):
        (folder / name).write_bytes(content)
    assert by_name(folder).groups == []


def test_a_damaged_copy_is_not_offered_and_the_sound_one_beside_it_is(folder: Path) -> None:
    first = save_picture(folder / "image.jpg", 1)
    (folder / "image (1).jpg").write_bytes(first.read_bytes()[:-500])
    shutil.copy(first, folder / "image (2).jpg")
    assert offered(folder) == ["image (2).jpg"]


def test_a_damaged_original_takes_no_copy_with_it(folder: Path) -> None:
    whole = save_picture(folder / "image (1).jpg", 1)
    (folder / "image.jpg").write_bytes(whole.read_bytes()[:-500])
    assert by_name(folder).groups == []


def test_a_link_with_a_copys_name_is_not_a_copy(folder: Path) -> None:
    first = save_picture(folder / "image.jpg", 1)
    (folder / "image (1).jpg").symlink_to(first)
    os.link(first, folder / "image (2).jpg")
    assert offered(folder) == []


def test_nested_folders_and_a_folder_named_twice_offer_each_copy_once(folder: Path) -> None:
    shutil.copy(save_picture(folder / "sub" / "image.jpg", 1), folder / "sub" / "image (1).jpg")
    for folders in ([folder, folder / "sub"], [folder / "sub", folder], [folder, folder]):
        assert len(by_name(*folders).groups) == 1
        assert offered(*folders) == ["image (1).jpg"]


def test_copies_called_not_duplicates_are_not_offered_again(folder: Path) -> None:
    shutil.copy(save_picture(folder / "image.jpg", 1), folder / "image (1).jpg")
    shutil.copy(save_picture(folder / "other.jpg", 2), folder / "other (1).jpg")
    sets = {group.keeper.full_path.name: group.pictures for group in by_name(folder).groups}
    workflow.remember_not_duplicates([sets["image.jpg"]])
    assert names_of(by_name(folder)) == [["other.jpg", "other (1).jpg"]]


def test_removing_copies_by_name_needs_no_index_and_can_be_undone(folder: Path) -> None:
    first = save_picture(folder / "image.jpg", 1)
    for name in COPY_NAMES:
        shutil.copy2(first, folder / name)
    before = tree(folder)
    outcome = workflow.remove(plan_marked(by_name(folder)), Recorder())
    assert (outcome.files, outcome.refused) == (len(COPY_NAMES), [])
    assert set(tree(folder)) == {"image.jpg"}
    workflow.undo(folder, None, Recorder())
    assert tree(folder) == before


@pytest.mark.parametrize(
    "name",
    [
        "image.jpg",
        "IMG_20240501_120000.jpg",
        "2024.jpg",
        "(1).jpg",
        "-1.jpg",
        "copy.jpg",
        "scan 3.jpg",
        "copyright.jpg",
    ],
)
def test_an_ordinary_name_is_nobodys_copy(name: str) -> None:
    assert list(original_names(name)) == []


@settings(max_examples=200, deadline=None)
@given(stem=st.text("ab -_()019.cCopyf", min_size=1, max_size=24))
@example(stem="copy of copy of")
@example(stem=" _0")
def test_an_originals_name_is_shorter_and_keeps_the_suffix(stem: str) -> None:
    for original in original_names(f"{stem}.jpg"):
        assert len(original) < len(f"{stem}.jpg")
        assert original.endswith(".jpg")


def test_a_thousand_copies_by_name_take_no_time_to_speak_of(folder: Path) -> None:
    first = save_picture(folder / "image.png", 1, (60, 40))
    for number in range(1, 1000):
        shutil.copy(first, folder / f"image ({number}).png")
    found = by_name(folder)
    assert [len(group.others) for group in found.groups] == [999]
    assert len(plan_marked(found).removals) == 999


def test_sixteen_bit_colour_is_not_compared_at_eight_bits(folder: Path) -> None:
    for name, low in (("scan.png", 0), ("scan copy.png", 7)):
        header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
        pixels = zlib.compress(b"\0" + bytes([200, low, 100, 0, 50, 0] * 2))
        parts = [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
        chunks = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts]
        (folder / name).write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    assert by_name(folder).groups == []
