"""What a preprocessor_config.json asks for in any of its forms, and pictures of any shape in little memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from checkpoints import CLIP_MEAN, CLIP_STD, HALF, IMAGENET_MEAN, IMAGENET_STD, PREPROCESSING, run_python
from conftest import picture
from PIL import Image

from dedup.encoders.network import Scaling
from dedup.encoders.preprocess import LONGEST_STRIP, ShortestEdgeCrop, Squash, SquashCrop, from_config, seen

CLIP = {"do_center_crop": True, "do_normalize": True, "image_mean": CLIP_MEAN, "image_std": CLIP_STD, "resample": 3}
SQUARE = {"height": 224, "width": 224}
NOTHING = Scaling((0.0,) * 3, (1.0,) * 3)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        # openai/clip-vit-large-patch14 writes whole numbers.
        ({**CLIP, "size": 224, "crop_size": 224}, ShortestEdgeCrop(224, 224, "bicubic")),
        ({**CLIP, "size": 256, "crop_size": 224}, ShortestEdgeCrop(256, 224, "bicubic")),
        ({**CLIP, "size": 224, "crop_size": SQUARE}, ShortestEdgeCrop(224, 224, "bicubic")),
        ({"size": 224}, ShortestEdgeCrop(224, 224, "bicubic")),
        ({}, ShortestEdgeCrop(224, 224, "bicubic")),
        ({**CLIP, "size": {"shortest_edge": 224}, "crop_size": SQUARE}, ShortestEdgeCrop(224, 224, "bicubic")),
        ({"size": {"shortest_edge": 256}, "crop_size": SQUARE}, ShortestEdgeCrop(256, 224, "bicubic")),
        ({"size": {"shortest_edge": 256}, "crop_size": 224}, ShortestEdgeCrop(256, 224, "bicubic")),
        (
            {"size": {"shortest_edge": 256}, "crop_size": SQUARE, "do_center_crop": False},
            ShortestEdgeCrop(256, 256, "bicubic"),
        ),
        ({"size": SQUARE}, Squash(224, "bicubic")),
        ({"size": SQUARE, "resample": 2}, Squash(224, "bilinear")),
        ({"size": SQUARE, "crop_size": SQUARE, "do_center_crop": True}, Squash(224, "bicubic")),
        (
            {"size": {"height": 346, "width": 346}, "crop_size": {"height": 289, "width": 289}, "resample": 2},
            Squash(346, "bilinear"),
        ),
        (
            {"size": {"height": 346, "width": 346}, "crop_size": {"height": 289, "width": 289}, "do_center_crop": True},
            SquashCrop(346, 289, "bicubic"),
        ),
        # DINOv3's own, saved by an image processor that crops nothing.
        ({"size": SQUARE, "resample": 2, "crop_size": None, "do_center_crop": None}, Squash(224, "bilinear")),
    ],
    ids=lambda value: None if isinstance(value, dict) else str(value),
)
def test_a_config_says_how_to_cut(config: dict[str, Any], expected: object) -> None:
    assert from_config(config)[0] == expected


@pytest.mark.parametrize(
    ("config", "level", "value"),
    [
        # (level / 255 - mean) / std
        ({"image_mean": CLIP_MEAN, "image_std": CLIP_STD}, 51, (0.2 - CLIP_MEAN[0]) / CLIP_STD[0]),
        ({"image_mean": HALF, "image_std": HALF, "do_normalize": True}, 255, 1.0),
        ({"image_mean": HALF, "image_std": HALF, "do_normalize": False}, 51, 0.2),
        ({"image_mean": None, "image_std": None, "do_normalize": False}, 51, 0.2),
        # ALIGN: from -1 to 1.
        (PREPROCESSING["align"], 0, -1.0),
        (PREPROCESSING["align"], 255, 1.0),
        ({"rescale_factor": 1 / 127.5, "rescale_offset": True, "image_mean": HALF, "image_std": HALF}, 255, 1.0),
        # EfficientNet: divided by the standard deviation a second time, normalised or not.
        ({"include_top": True, "image_mean": HALF, "image_std": [0.25] * 3}, 255, 0.5 / 0.25 / 0.25),
        ({"include_top": True, "image_mean": HALF, "image_std": [0.25] * 3, "do_normalize": False}, 255, 1 / 0.25),
    ],
)
def test_a_config_says_how_to_scale(config: dict[str, Any], level: int, value: float) -> None:
    scaling = from_config({"size": SQUARE, **config})[1]
    found = (level * scaling.factor - scaling.mean[0]) / scaling.std[0]
    assert found == pytest.approx(value, abs=1e-6)


def test_what_a_config_leaves_out_is_plain() -> None:
    assert from_config({"size": SQUARE, "do_normalize": False})[1] == NOTHING
    found = from_config({"size": SQUARE, "image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD})[1]
    assert found == Scaling(tuple(IMAGENET_MEAN), tuple(IMAGENET_STD), 1 / 255)


@pytest.mark.parametrize("size", [(30, 90), (90, 30), (31, 31), (200, 99), (7, 3)])
def test_the_middle_of_the_shorter_side_is_what_is_cut_out(size: tuple[int, int]) -> None:
    # A red mark in the very middle stays there.
    image = Image.new("RGB", size, (0, 0, 0))
    image.paste((255, 0, 0), (size[0] // 2 - 1, size[1] // 2 - 1, size[0] // 2 + 1, size[1] // 2 + 1))
    for prepare in (ShortestEdgeCrop(60, 40), SquashCrop(60, 40), Squash(40)):
        red = prepare(image)[0].astype(float)
        where = [float((red.sum(axis=axis) * np.arange(40)).sum() / red.sum()) for axis in (0, 1)]
        assert where == pytest.approx([19.5, 19.5], abs=60 / min(size))


def test_a_very_long_strip_shows_its_middle() -> None:
    strip = Image.new("RGB", (5000, 10), (0, 0, 200))
    strip.paste((0, 200, 0), (2500 - 5 * LONGEST_STRIP, 0, 2500 + 5 * LONGEST_STRIP, 10))
    for image in (strip, strip.rotate(90, expand=True)):
        pixels = ShortestEdgeCrop(32, 32)(image)
        assert (pixels == np.array([0, 200, 0], dtype=np.uint8)[:, None, None]).all()


def test_contrast_is_that_of_the_strongest_channel() -> None:
    prepare = Squash(64)
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[::2, :, 2] = 100
    image = Image.fromarray(stripes)
    assert prepare.contrast(seen(image), prepare(image)) == pytest.approx(50.0)
    red = Image.new("RGB", (64, 64), (250, 0, 0))
    assert prepare.contrast(seen(red), prepare(red)) == 0.0


def test_a_picture_that_was_decoded_smaller_gives_nearly_the_same_pixels() -> None:
    # The decoder may reduce a JPEG to twice the size the encoder looks at.
    whole = picture(3, (512, 384))
    half = whole.reduce(2)
    for prepare in (Squash(64), ShortestEdgeCrop(64, 64), SquashCrop(96, 64)):
        assert np.abs(prepare(whole).astype(int) - prepare(half).astype(int)).mean() < 3


# Prepares strips of 3000 pixels and says by how many megabytes the most memory it ever used grew.
MEASURE = """
import resource, sys
from PIL import Image
from dedup.encoders.preprocess import ShortestEdgeCrop, Squash, SquashCrop

def peak():
    if sys.platform == "linux":  # where the other figure begins with that of the parent process
        return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) >> 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 20

makers = ShortestEdgeCrop(224, 224), Squash(224), SquashCrop(256, 224)
for prepare in makers:
    prepare(Image.new("RGB", (300, 200)))
before = peak()
for prepare in makers:
    for size in ((1, 3000), (3000, 1)):
        assert prepare(Image.new("RGB", size, (9, 99, 199))).shape == (3, 224, 224)
print(peak() - before)
"""


def test_a_very_long_strip_is_prepared_in_little_memory() -> None:
    done = run_python(MEASURE)
    assert int(done.stdout) < 100, done.stderr
