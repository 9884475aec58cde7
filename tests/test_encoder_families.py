"""The hub's families give what transformers gives: from the same pixels, from the same picture, from the same words."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoints import PREPROCESSING, SIDE, family_of, loaded, tiny
from conftest import PROJECT, picture
from PIL import Image

from dedup.encoders import BOTH, REGISTRY, Encoder, LoadOptions, hub, spec
from dedup.encoders.device import hide_unusable_torchvision
from dedup.encoders.preprocess import ShortestEdgeCrop, Squash, SquashCrop
from dedup.encoders.transformer import FAMILIES
from dedup.errors import DedupError
from dedup.sample import drawn_pictures

PHOTOS = PROJECT.parent / "shared" / "pictures" / "photos"
HUB = [row for row in REGISTRY if family_of(row) in FAMILIES]
hub_rows = pytest.mark.parametrize("name", [row.name for row in HUB])
ONE_EACH = {family_of(row): row.name for row in reversed(HUB)}
families = pytest.mark.parametrize("family", list(FAMILIES))
# DINOv3's own image processor exists for torchvision only, which need not be usable here. It resizes, rescales and
# normalises to a height and width, as that of ViT does.
PROCESSORS = {
    "clip": "CLIPImageProcessor",
    "dinov2": "BitImageProcessor",
    "dinov3": "ViTImageProcessor",
    "siglip": "SiglipImageProcessor",
    "align": "EfficientNetImageProcessor",
    "flava": "FlavaImageProcessor",
}
# As each model's page in the documentation of transformers calls the tokenizer.
TOKENIZING: dict[str, dict[str, Any]] = {
    "clip": {"padding": True},
    "siglip": {"padding": "max_length", "max_length": 64},
    "align": {"padding": "max_length", "max_length": 64},
    "flava": {"padding": "max_length", "max_length": 77},
}


def transformers() -> Any:
    hide_unusable_torchvision()
    import transformers

    return transformers


@cache
def model_of(family: str) -> Any:
    return getattr(transformers(), FAMILIES[family].model_class).from_pretrained(tiny(family)).eval()


def features(output: Any) -> torch.Tensor:
    """Of get_..._features: a tensor in older releases."""
    return getattr(output, "pooler_output", output)


REFERENCE: dict[str, Callable[[Any, torch.Tensor], dict[str, torch.Tensor]]] = {
    "clip": lambda model, pixels: {
        "final": features(model.get_image_features(pixel_values=pixels)),
        "hidden": model.vision_model(pixel_values=pixels).pooler_output,
    },
    "dinov2": lambda model, pixels: {"final": model(pixel_values=pixels).last_hidden_state[:, 0]},
    "dinov3": lambda model, pixels: {"final": model(pixel_values=pixels).last_hidden_state[:, 0]},
    "siglip": lambda model, pixels: {"final": features(model.get_image_features(pixel_values=pixels))},
    "align": lambda model, pixels: {"final": features(model.get_image_features(pixel_values=pixels))},
    # Every patch is projected; the first token stands for the picture.
    "flava": lambda model, pixels: {"final": features(model.get_image_features(pixel_values=pixels))[:, 0]},
}


def reference(family: str, pixels: torch.Tensor) -> dict[str, np.ndarray]:
    """The unit rows of each kind, computed with the library alone."""
    with torch.inference_mode():
        found = REFERENCE[family](model_of(family), pixels)
        return {kind: torch.nn.functional.normalize(rows, dim=1).numpy() for kind, rows in found.items()}


def scaled(family: str, batch: torch.Tensor) -> torch.Tensor:
    """A uint8 batch as the checkpoint's preprocessor_config asks for it."""
    config = PREPROCESSING[family]
    pixels = batch * config["rescale_factor"] - (1 if config.get("rescale_offset") else 0)
    if not config["do_normalize"]:
        return pixels
    mean, std = (torch.tensor(config[name]).view(1, 3, 1, 1) for name in ("image_mean", "image_std"))
    return (pixels - mean) / std


def prepared(encoder: Encoder, pictures: Sequence[Image.Image]) -> torch.Tensor:
    return torch.from_numpy(np.stack([encoder.prepare(one) for one in pictures]))


# -- pictures ---------------------------------------------------------------------------


@hub_rows
def test_an_embedding_is_that_of_transformers(name: str) -> None:
    row, family = spec(name), family_of(spec(name))
    for kind in row.kinds:
        encoder = loaded(name, kind)
        batch = prepared(encoder, [picture(seed) for seed in range(3)])
        expected = reference(family, scaled(family, batch))[kind]
        assert encoder.provenances[0].dim == expected.shape[1]
        np.testing.assert_allclose(encoder.encode(batch), expected, atol=1e-4)


def test_final_and_hidden_of_clip_are_two_embeddings() -> None:
    final, hidden = (loaded("clip-vit-b32", kind).provenances[0] for kind in ("", "hidden"))
    assert (final.layer, final.dim) == ("final", 16)
    assert (hidden.layer, hidden.dim) == ("hidden", SIDE)


@pytest.mark.parametrize("name", [row.name for row in HUB if len(row.kinds) > 1])
def test_both_kinds_at_once_are_the_rows_of_either_side_by_side(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loads = []
    whole = hub._whole_model
    monkeypatch.setattr(hub, "_whole_model", lambda *args: loads.append(args) or whole(*args))
    both = spec(name).load(LoadOptions(kind=BOTH, weights=tiny("clip"), device="cpu"))
    assert len(loads) == 1
    apart = [loaded(name, kind) for kind in ("final", "hidden")]
    assert both.provenances == tuple(one.provenances[0] for one in apart)
    batch = prepared(both, [picture(seed) for seed in range(3)])
    np.testing.assert_allclose(both.encode(batch), np.hstack([one.encode(batch) for one in apart]), atol=1e-5)


@cache
def real_looking() -> list[Image.Image]:
    """Drawn pictures of many shapes and, where they are at hand, photographs."""
    sizes = [(240, 180), (180, 240), (640, 480), (333, 100), (75, 200), (64, 64), (1024, 300)]
    found = [picture(seed, size) for seed, size in enumerate(sizes, start=2)] + drawn_pictures()[:3]
    for path in sorted(PHOTOS.rglob("*.jpg"))[::80]:
        with Image.open(path) as photo:
            found.append(photo.convert("RGB"))
    return found


@families
def test_a_picture_goes_through_our_preprocessing_as_through_the_librarys(family: str) -> None:
    processor = getattr(transformers(), PROCESSORS[family]).from_pretrained(tiny(family))
    pictures = real_looking()
    theirs = processor(images=pictures, return_tensors="pt")["pixel_values"]
    encoder = loaded(ONE_EACH[family])
    batch = prepared(encoder, pictures)
    assert batch.shape == theirs.shape
    # Pillow and torch round differently by a level here and there.
    levels = (scaled(family, batch) - theirs).abs() / (scaled(family, batch + 1.0) - scaled(family, batch))
    assert float(levels.max()) < 1.5
    assert float(levels.mean()) < 0.01
    expected = reference(family, theirs)["final"]
    ours = encoder.encode(batch)
    error = np.linalg.norm(ours - expected, axis=1)
    assert error.max() < 0.02, error
    # Else being near would mean nothing.
    distances = np.linalg.norm(expected[:, None] - expected[None], axis=2)[~np.eye(len(pictures), dtype=bool)]
    assert np.median(distances) > 0.2
    # Nor would another way of cutting go unnoticed.
    turned = reference(family, theirs.transpose(2, 3))["final"]
    assert np.median(np.linalg.norm(turned - expected, axis=1)) > 0.02


def test_preprocessing_follows_the_checkpoint() -> None:
    bands = Image.new("RGB", (3 * SIDE, SIDE), (0, 200, 0))
    bands.paste((200, 0, 0), (0, 0, SIDE, SIDE))
    bands.paste((0, 0, 200), (2 * SIDE, 0, 3 * SIDE, SIDE))
    crop, squash = loaded("clip-vit-b32").prepare, loaded("dinov3-vitl16").prepare
    middle, whole = crop(bands), squash(bands)
    assert (middle == np.array([0, 200, 0], dtype=np.uint8)[:, None, None]).all()
    assert whole[:, 16, 2].tolist() == [200, 0, 0]
    assert whole[:, 16, 29].tolist() == [0, 0, 200]


def test_each_family_has_its_own_way_to_cut() -> None:
    assert {family: loaded(name).prepare for family, name in ONE_EACH.items()} == {
        "clip": ShortestEdgeCrop(SIDE, SIDE, "bicubic"),
        "dinov2": ShortestEdgeCrop(36, SIDE, "bicubic"),
        "dinov3": Squash(SIDE, "bilinear"),
        "siglip": Squash(SIDE, "bicubic"),
        "align": SquashCrop(69, 58, "bilinear"),
        "flava": Squash(SIDE, "bicubic"),
    }


# -- words ------------------------------------------------------------------------------

TEXTS = ["a photo of a cat", "The red house by the sea", "dog"]


def test_every_row_with_words_is_of_a_family_with_a_text_tower() -> None:
    assert {row.name for row in HUB if row.text} == {row.name for row in HUB if FAMILIES[family_of(row)].tokens}
    assert {family for family in FAMILIES if FAMILIES[family].tokens} == set(TOKENIZING)


@pytest.mark.parametrize("name", [row.name for row in HUB if row.text])
def test_the_embedding_of_words_is_that_of_transformers(name: str) -> None:
    family = family_of(spec(name))
    tokenizer = transformers().AutoTokenizer.from_pretrained(tiny(family))
    tokens = tokenizer(TEXTS, return_tensors="pt", **TOKENIZING[family])
    with torch.inference_mode():
        rows = features(model_of(family).get_text_features(**tokens))
        rows = rows[:, 0] if family == "flava" else rows
    expected = torch.nn.functional.normalize(rows, dim=1).numpy()
    np.testing.assert_allclose(loaded(name).encode_text(TEXTS), expected, atol=1e-4)


@pytest.mark.parametrize("family", list(TOKENIZING))
def test_a_text_longer_than_the_model_reads_is_cut(family: str) -> None:
    encoder = loaded(ONE_EACH[family])
    (row,) = encoder.encode_text(["a photo of a cat " * 40])
    assert np.linalg.norm(row) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("family", list(TOKENIZING))
def test_for_pictures_the_text_tower_takes_no_memory(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    models = []
    whole = hub._whole_model
    monkeypatch.setattr(hub, "_whole_model", lambda *args: models.append(whole(*args)) or models[-1])
    encoder = spec(ONE_EACH[family]).load(LoadOptions(weights=tiny(family), device="cpu"))
    assert encoder.encode(prepared(encoder, [picture(1)])).shape[0] == 1
    held = [name for name, _ in models[0].named_parameters()]
    assert held
    assert not [name for name in held if "text" in name or "multimodal_model" in name]


@pytest.mark.parametrize("family", list(TOKENIZING))
def test_without_a_tokenizer_pictures_work_and_words_say_what_is_missing(family: str, tmp_path: Path) -> None:
    # Some releases of transformers make an empty tokenizer then, to which all words are the same.
    name = ONE_EACH[family]
    shutil.copytree(tiny(family), tmp_path / "no words")
    for path in (tmp_path / "no words").glob("*token*"):
        path.unlink()
    encoder = spec(name).load(LoadOptions(weights=tmp_path / "no words", device="cpu"))
    batch = prepared(encoder, [picture(1)])
    np.testing.assert_allclose(encoder.encode(batch), loaded(name).encode(batch), atol=1e-5)
    with pytest.raises(DedupError, match=f"text half of {name}") as problem:
        encoder.encode_text(["a cat"])
    assert "tokenizer" in problem.value.remedy


def test_siglips_words_go_through_its_own_sentencepiece_tokenizer(tmp_path: Path) -> None:
    # The released checkpoints name SiglipTokenizer, which reads spiece.model by sentencepiece and protobuf.
    import sentencepiece

    place = tmp_path / "siglip"
    shutil.copytree(tiny("siglip"), place)
    for path in place.glob("*token*"):
        path.unlink()
    (tmp_path / "words.txt").write_text("a photo of a cat\na picture of a dog\nthe red house by the sea\n" * 50)
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "words.txt"),
        model_prefix=str(place / "spiece"),
        vocab_size=40,
        hard_vocab_limit=False,
        pad_id=1,
        eos_id=2,
        unk_id=0,
        bos_id=-1,
        minloglevel=2,
    )
    (place / "tokenizer_config.json").write_text('{"tokenizer_class": "SiglipTokenizer", "model_max_length": 64}')
    encoder = spec("siglip-base").load(LoadOptions(weights=place, device="cpu"))
    cat, same_cat, dog = encoder.encode_text(["a photo of a cat", "A PHOTO of a Cat", "a picture of a dog"])
    np.testing.assert_allclose(cat, same_cat, atol=1e-6)
    assert np.linalg.norm(cat) == pytest.approx(1.0, abs=1e-4)
    assert float(cat @ dog) < 0.9999
