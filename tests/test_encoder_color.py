"""The colour histogram: known colours, and indifference to where they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from checkpoints import loaded
from conftest import picture
from PIL import Image

from dedup.encoders import color
from dedup.encoders.color import histogram, lab
from dedup.sample import drawn_pictures


def encoded(*pictures: Image.Image) -> np.ndarray:
    encoder = loaded("color", real=True)
    return encoder.encode(torch.from_numpy(np.stack([encoder.prepare(one) for one in pictures])))


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ((0, 0, 0), (0, 0, 0)),
        ((255, 255, 255), (100, 0, 0)),
        ((128, 128, 128), (53.59, 0, 0)),
        ((1, 1, 1), (0.27, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((255, 255, 0), (97.14, -21.55, 94.48)),
    ],
)
def test_known_colours_have_their_known_places(colour: tuple[int, ...], expected: tuple[float, ...]) -> None:
    assert lab(torch.tensor(colour) / 255).tolist() == pytest.approx(expected, abs=0.1)


def test_the_shares_of_the_colours_add_up_to_one() -> None:
    colours = lab(torch.rand(3, 200, 3, generator=torch.Generator().manual_seed(1)))
    shares = histogram(colours)
    assert shares.shape == (3, color.DIM)
    assert float(shares.min()) >= 0
    np.testing.assert_allclose(shares.sum(dim=1), 1.0, atol=1e-5)
    # Each colour counts for at most the eight bins around it.
    assert (histogram(colours[:, :1]) > 0).sum(dim=1).max() <= 8


def test_rows_have_length_one_even_for_a_single_colour() -> None:
    sheets = [Image.new("RGB", (30, 20), one) for one in ((0, 0, 0), (255, 255, 255), (0, 0, 255), (12, 200, 90))]
    rows = encoded(*sheets, picture(1))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)
    similarity = rows @ rows.T
    assert similarity[~np.eye(5, dtype=bool)].max() < 0.9


@pytest.mark.parametrize("turn", list(Image.Transpose))
def test_turned_and_mirrored_copies_have_the_same_colours(turn: Image.Transpose) -> None:
    pictures = [picture(seed) for seed in range(6)] + drawn_pictures()
    rows, turned = encoded(*pictures), encoded(*(one.transpose(turn) for one in pictures))
    assert (rows * turned).sum(axis=1).min() > 0.99


def test_a_slight_shift_of_a_colour_changes_little_wherever_it_lies_between_the_bins() -> None:
    # A histogram with hard bins would jump.
    sheets = [Image.new("RGB", (8, 8), (level, level, level)) for level in range(20, 240)]
    rows = encoded(*sheets)
    assert (rows[:-1] * rows[1:]).sum(axis=1).min() > 0.98
    assert float(rows[0] @ rows[-1]) < 0.1


def test_other_colours_are_another_picture() -> None:
    original = picture(3)
    red, green, blue = original.split()
    rows = encoded(original, Image.merge("RGB", (blue, red, green)))
    assert float(rows[0] @ rows[1]) < 0.9
