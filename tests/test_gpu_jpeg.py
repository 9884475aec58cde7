"""JPEGs left to the GPU: which are, how they come back upright and complete, and what happens when it refuses.

The decoder here runs on the processor and takes and gives what torchvision's does; nvJPEG itself needs CUDA.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import FAST, FakeEncoder, save_picture
from PIL import Image, ImageFilter

from dedup import decoding, images
from dedup.decoding import Prepared
from dedup.encoders.preprocess import Squash
from dedup.errors import DedupError
from dedup.gpu_jpeg import agrees, gpu_reducer, reducer
from dedup.hasher import HashOptions, hash_pictures
from dedup.menu.settings_page import _changed
from dedup.progress import silent
from dedup.scan import list_pictures
from dedup.settings import Settings
from dedup.store import Catalogue


def decode_here(files: list[torch.Tensor]) -> list[torch.Tensor]:
    """Each file's levels, (3, height, width) uint8, as they lie in the file; raises for a damaged one."""
    decoded = []
    for data in files:
        with Image.open(io.BytesIO(data.numpy().tobytes())) as image:
            levels = np.array(image.convert("RGB"))
        decoded.append(torch.from_numpy(levels).permute(2, 0, 1))
    return decoded


def saved(size: tuple[int, int] = (640, 480), **how: object) -> bytes:
    noise = np.random.default_rng(4).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).save(file, "JPEG", **how)
    return file.getvalue()


def with_orientation(value: int) -> bytes:
    exif = Image.Exif()
    exif[images.ORIENTATION_TAG] = value
    return saved(exif=exif)


def both_ways(root: Path) -> tuple[dict[str, Prepared], dict[str, Prepared]]:
    """Path -> what the workers give, and what comes of leaving the JPEGs to the decoder above."""
    files = list_pictures(root).files
    found = []
    for reduce in (None, reducer(decode_here)):
        batches = decoding.batches(
            root, files, Squash(64), batch_size=4, num_workers=2, max_megapixels=100, reduce=reduce
        )
        found.append({one.item.path: one for batch in batches for one in batch})
        assert list(found[-1]) == [one.path for one in files]
    return found[0], found[1]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_left_to_the_gpu_comes_back_as_from_a_worker(tmp_path: Path, orientation: int) -> None:
    (tmp_path / "a.jpg").write_bytes(with_orientation(orientation))
    usual, other = (found["a.jpg"] for found in both_ways(tmp_path))
    assert usual.pixels is not None
    assert other.pixels is not None
    assert np.abs(usual.pixels.astype(int) - other.pixels.astype(int)).mean() < 1.5
    facts = ("path", "size", "mtime_ns", "digest", "width", "height", "format", "reason")
    assert [getattr(usual.item, name) for name in facts] == [getattr(other.item, name) for name in facts]
    assert other.item.frame is not None
    assert abs(usual.item.contrast - other.item.contrast) < 2
    assert other.jpeg is None


def test_damaged_odd_and_other_files_take_the_usual_way(tmp_path: Path) -> None:
    (tmp_path / "cut.jpg").write_bytes(saved()[:-3000])
    (tmp_path / "spoilt.jpg").write_bytes(b"\xff\xd8\xff\xe0" + b"rubbish" * 50 + b"\xff\xd9")
    (tmp_path / "whole.jpg").write_bytes(saved())
    save_picture(tmp_path / "a.png", 1, (60, 40))
    Image.new("CMYK", (64, 64), (9, 80, 3, 4)).save(tmp_path / "cmyk.jpg")
    usual, other = both_ways(tmp_path)
    assert {path: one.item.reason for path, one in usual.items()} == {
        path: one.item.reason for path, one in other.items()
    }
    assert usual["cut.jpg"].item.reason.startswith("damaged")
    assert not other["whole.jpg"].item.reason
    for path in ("a.png", "cmyk.jpg"):
        np.testing.assert_array_equal(usual[path].pixels, other[path].pixels)


def test_only_ordinary_jpegs_are_left_to_the_gpu() -> None:
    assert images.jpeg_head(saved(), 100) == images.JpegHead(640, 480, 1)
    assert images.jpeg_head(saved(), 0) is None  # above the limit: the usual way refuses it in words
    assert images.jpeg_head(saved() + b"tail", 100) is None
    assert images.jpeg_head(saved(keep_rgb=True), 100) is None
    assert images.jpeg_head(b"\x89PNG", 100) is None


def test_what_the_gpu_refuses_is_decoded_by_a_worker(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.jpg").write_bytes(saved((300 + number, 200)))

    def refuse_one(files: list[torch.Tensor]) -> list[torch.Tensor]:
        decoded = decode_here(files)
        if any(one.shape[2] == 302 for one in decoded):
            raise RuntimeError("unsupported")
        return decoded

    files = list_pictures(tmp_path).files
    encoder = FakeEncoder()
    batches = decoding.batches(
        tmp_path, files, encoder.prepare, batch_size=5, num_workers=1, max_megapixels=100, reduce=reducer(refuse_one)
    )
    found = [one for batch in batches for one in batch]
    assert [one.item.width for one in found] == [300, 301, 302, 303, 304]
    assert all(one.pixels is not None and not one.item.reason for one in found)


def test_a_decoder_that_errs_is_not_used() -> None:
    def softly(files: list[torch.Tensor]) -> list[torch.Tensor]:
        blurred = ImageFilter.GaussianBlur(4)
        rows = [Image.fromarray(one.permute(1, 2, 0).numpy()).filter(blurred) for one in decode_here(files)]
        return [torch.from_numpy(np.array(one)).permute(2, 0, 1) for one in rows]

    def never(files: list[torch.Tensor]) -> list[torch.Tensor]:
        raise RuntimeError("built without it")

    assert agrees(decode_here)
    assert not agrees(softly)
    assert not agrees(never)


def test_without_a_gpu_the_setting_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(saved())
    assert gpu_reducer("cpu") is None
    with Catalogue(tmp_path, create=True) as store:
        options = HashOptions(4, FAST.num_workers, gpu_jpegs=True)
        summary = hash_pictures(store, list_pictures(tmp_path).files, FakeEncoder(), options, silent)
    assert summary.encoded == 1


def test_the_setting_is_typed_as_yes_or_no() -> None:
    assert _changed(Settings(), "gpu_jpegs", "Yes").gpu_jpegs
    assert not _changed(Settings(gpu_jpegs=True), "gpu_jpegs", "no").gpu_jpegs
    with pytest.raises(DedupError, match="neither yes nor no"):
        _changed(Settings(), "gpu_jpegs", "perhaps")
