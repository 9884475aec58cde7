"""The contract of every encoder, on the real default one and on tiny checkpoints of the others."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import PROJECT, picture
from PIL import Image

from dedup.encoders import REGISTRY, Encoder, EncoderSpec, LoadOptions, spec
from dedup.encoders.device import hide_unusable_torchvision
from dedup.encoders.preprocess import ShortestEdgeCrop, Squash
from dedup.errors import DedupError, WeightsUnavailable
from dedup.settings import DEFAULT_ENCODER

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
SIDE = 32
VISION = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
VISION |= {"image_size": SIDE, "patch_size": 8}
TEXT = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
TEXT |= {"vocab_size": 32, "max_position_embeddings": 8, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
CROPPED = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}, "resample": 3}
SQUASHED = {"size": {"height": SIDE, "width": SIDE}, "resample": 2}


# -- tiny checkpoints -------------------------------------------------------------------


def write_checkpoint(folder: Path, model: Any, preprocessing: dict[str, Any]) -> Path:
    model.save_pretrained(folder)
    config = {**preprocessing, "image_mean": MEAN, "image_std": STD}
    (folder / "preprocessor_config.json").write_text(json.dumps(config))
    return folder


def write_clip(folder: Path, seed: int) -> Path:
    """A CLIP with random weights and 16 numbers in its final embedding."""
    hide_unusable_torchvision()
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(seed)
    return write_checkpoint(
        folder, CLIPModel(CLIPConfig(vision_config=VISION, text_config=TEXT, projection_dim=16)), CROPPED
    )


def write_dinov3(folder: Path, seed: int) -> Path:
    """A DINOv3 with random weights."""
    hide_unusable_torchvision()
    from transformers import DINOv3ViTConfig, DINOv3ViTModel

    torch.manual_seed(seed)
    return write_checkpoint(folder, DINOv3ViTModel(DINOv3ViTConfig(**VISION, num_register_tokens=2)), SQUASHED)


@dataclass(frozen=True)
class Checkpoints:
    clip: Path
    other_clip: Path
    dinov3: Path

    def of(self, name: str) -> Path | None:
        """The tiny weights for a row; None where the row's own weights are installed."""
        return self.clip if name.startswith("clip") else self.dinov3 if name.startswith("dinov3") else None


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Checkpoints:
    root = tmp_path_factory.mktemp("checkpoints")
    return Checkpoints(write_clip(root / "clip", 1), write_clip(root / "other clip", 2), write_dinov3(root / "dino", 3))


ROWS = [(row, kind) for row in REGISTRY for kind in row.kinds]


@pytest.fixture(scope="module", params=ROWS, ids=lambda param: f"{param[0].name}-{param[1]}")
def loaded(request: pytest.FixtureRequest, checkpoints: Checkpoints) -> tuple[EncoderSpec, str, Encoder]:
    """Every row of the registry in each of its kinds, loaded."""
    row, kind = request.param
    return row, kind, row.load(LoadOptions(kind=kind, weights=checkpoints.of(row.name), device="cpu"))


@pytest.fixture(scope="module")
def default() -> Encoder:
    return spec(DEFAULT_ENCODER).load(LoadOptions())


def prepared(encoder: Encoder, *pictures: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.stack([encoder.prepare(one) for one in pictures]))


def encoded(encoder: Encoder, *pictures: Image.Image) -> np.ndarray:
    return encoder.encode(prepared(encoder, *pictures))


def resaved(image: Image.Image, scale: float, quality: int) -> Image.Image:
    small = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


ODD: dict[str, Callable[[], Image.Image]] = {
    "1x1": lambda: Image.new("RGB", (1, 1), (200, 10, 10)),
    "1x5000": lambda: picture(1, (60, 5000)).resize((1, 5000)),
    "5000x1": lambda: picture(1, (5000, 60)).resize((5000, 1)),
    "grey": lambda: Image.new("RGB", (300, 200), (128, 128, 128)),
    "black": lambda: Image.new("RGB", (300, 200)),
    "white": lambda: Image.new("RGB", (300, 200), (255, 255, 255)),
}


# -- the rows ---------------------------------------------------------------------------


def test_names_are_unique_because_they_are_storage_keys() -> None:
    for values in ([row.name for row in REGISTRY], [row.title for row in REGISTRY]):
        assert len(values) == len(set(values))


@pytest.mark.parametrize("row", REGISTRY, ids=lambda row: row.name)
def test_every_row_says_what_a_person_needs_to_choose(row: EncoderSpec) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row.name)
    for text in (row.title, row.needs, row.where_weights_come_from, row.good_for):
        assert text
        assert "\n" not in text
    assert row.dim > 0
    assert row.batch_size > 0
    assert 0.5 < row.threshold <= 1.0
    assert row.metric == "cosine"
    assert len(row.kinds) == len(set(row.kinds)) > 0
    assert row.layer("") == row.kinds[0]
    assert isinstance(row.available(), bool)
    assert spec(row.name) is row


def test_the_encoders_of_the_first_tool_come_first_in_its_order_and_the_default_needs_nothing() -> None:
    assert [row.name for row in REGISTRY][:3] == ["clip-vit-l14", "clip-vit-b32", "dinov3-vitl16"]
    assert spec("clip-vit-l14").kinds == spec("clip-vit-b32").kinds == ("final", "hidden")
    assert spec(DEFAULT_ENCODER).available()


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(DedupError, match="no encoder resnet") as problem:
        spec("resnet")
    assert all(row.name in problem.value.remedy for row in REGISTRY)


# -- the contract -----------------------------------------------------------------------

Loaded = tuple[EncoderSpec, str, Encoder]


def test_provenance_names_the_row_its_kind_and_its_weights(loaded: Loaded) -> None:
    row, kind, encoder = loaded
    provenance = encoder.provenance
    assert (provenance.encoder, provenance.layer, provenance.dtype) == (row.name, kind, "float16")
    assert re.fullmatch(r"sha256:[0-9a-f]{16}", provenance.checkpoint)


@pytest.mark.parametrize("name", ["drawn", *ODD])
def test_whatever_the_picture_the_input_has_one_shape_and_the_row_length_one(loaded: Loaded, name: str) -> None:
    _, _, encoder = loaded
    image = ODD[name]() if name in ODD else picture(5, (321, 123))
    pixels = encoder.prepare(image)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (3, encoder.prepare.size, encoder.prepare.size)
    (row,) = encoded(encoder, image)
    assert row.shape == (encoder.provenance.dim,)
    assert row.dtype == np.float32
    assert np.linalg.norm(row.astype(np.float64)) == pytest.approx(1.0, abs=1e-4)


def test_a_batch_of_any_length_gives_a_row_per_picture(loaded: Loaded) -> None:
    _, _, encoder = loaded
    for count in (1, 3):
        rows = encoded(encoder, *(picture(seed) for seed in range(count)))
        assert rows.shape == (count, encoder.provenance.dim)
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-4)


def test_the_same_batch_gives_the_same_rows(loaded: Loaded) -> None:
    _, _, encoder = loaded
    batch = prepared(encoder, *(picture(seed) for seed in range(2)))
    before = batch.clone()
    first = encoder.encode(batch)
    np.testing.assert_allclose(encoder.encode(batch), first, atol=1e-5)
    assert torch.equal(batch, before)


def test_a_picture_has_one_vector_alone_first_or_last_in_a_batch(loaded: Loaded) -> None:
    # Fault 11: a hidden layer written by hand mixed pictures across the batch.
    _, _, encoder = loaded
    one, others = picture(40), [picture(seed) for seed in range(4)]
    (alone,) = encoded(encoder, one)
    np.testing.assert_allclose(encoded(encoder, one, *others)[0], alone, atol=1e-3)
    np.testing.assert_allclose(encoded(encoder, *others, one)[-1], alone, atol=1e-3)
    np.testing.assert_allclose(encoded(encoder, *others[:2], one, *others[2:])[2], alone, atol=1e-3)


def test_different_pictures_have_different_vectors(loaded: Loaded) -> None:
    _, _, encoder = loaded
    rows = encoded(encoder, *(picture(seed) for seed in range(3)))
    similarity = rows @ rows.T
    assert similarity[~np.eye(3, dtype=bool)].max() < 0.99999


def test_what_travels_to_the_workers_is_small_and_complete(loaded: Loaded) -> None:
    _, _, encoder = loaded
    packed = pickle.dumps(encoder.prepare)
    assert len(packed) < 1000
    np.testing.assert_array_equal(pickle.loads(packed)(picture(2)), encoder.prepare(picture(2)))


# Prepares strips of 3000 pixels and says by how many megabytes the most memory it ever used grew.
MEASURE = """
import resource, sys
from PIL import Image
from dedup.encoders.preprocess import ShortestEdgeCrop, Squash

def peak():
    if sys.platform == "linux":  # where the other figure begins with that of the parent process
        return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) >> 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 20

makers = ShortestEdgeCrop(224, 224), Squash(224)
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


# -- the default ------------------------------------------------------------------------


def test_the_default_encoder_gives_what_its_row_declares(default: Encoder) -> None:
    row = spec(DEFAULT_ENCODER)
    assert encoded(default, picture(1)).shape == (1, row.dim) == (1, default.provenance.dim)


def test_the_default_encoder_loads_the_same_a_second_time(default: Encoder) -> None:
    again = spec(DEFAULT_ENCODER).load(LoadOptions())
    assert again.provenance == default.provenance
    np.testing.assert_allclose(encoded(again, picture(3)), encoded(default, picture(3)), atol=1e-5)


@pytest.fixture(scope="module")
def originals(default: Encoder) -> tuple[list[Image.Image], np.ndarray]:
    pictures = [picture(seed, (480, 360)) for seed in range(5)]
    return pictures, encoded(default, *pictures)


@pytest.mark.parametrize(("scale", "quality"), [(1.0, 60), (0.75, 92), (2.0, 90)])
def test_a_resaved_picture_is_nearer_to_its_original_than_to_any_other_picture(
    default: Encoder, originals: tuple[list[Image.Image], np.ndarray], scale: float, quality: int
) -> None:
    pictures, vectors = originals
    similarity = encoded(default, *(resaved(one, scale, quality) for one in pictures)) @ vectors.T
    own, others = np.diag(similarity), similarity[~np.eye(len(pictures), dtype=bool)]
    assert own.min() > 0.9
    assert own.min() > others.max()


def test_weights_of_something_else_are_refused_by_the_default_encoder(tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("no weights")
    torch.save({"layer": torch.zeros(3)}, tmp_path / "other.pth")
    for name in ("text.pth", "other.pth", "missing.pth", "."):
        with pytest.raises(WeightsUnavailable, match="does not hold the weights") as problem:
            spec(DEFAULT_ENCODER).load(LoadOptions(weights=tmp_path / name))
        assert problem.value.remedy


# -- CLIP and DINOv3 --------------------------------------------------------------------


def scaled(batch: torch.Tensor) -> torch.Tensor:
    """A batch as the checkpoints' preprocessor_config asks for it."""
    return (batch / 255.0 - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)


def unit(rows: torch.Tensor) -> np.ndarray:
    result: np.ndarray = torch.nn.functional.normalize(rows, dim=1).numpy()
    return result


@pytest.mark.parametrize("name", ["clip-vit-l14", "clip-vit-b32"])
def test_the_embeddings_of_clip_are_those_of_transformers(checkpoints: Checkpoints, name: str) -> None:
    from transformers import CLIPModel

    model = CLIPModel.from_pretrained(checkpoints.clip).eval()
    final, hidden = (
        spec(name).load(LoadOptions(kind=kind, weights=checkpoints.clip, device="cpu")) for kind in ("", "hidden")
    )
    assert (final.provenance.layer, final.provenance.dim) == ("final", 16)
    assert (hidden.provenance.layer, hidden.provenance.dim) == ("hidden", 32)
    batch = prepared(final, *(picture(seed) for seed in range(3)))
    with torch.inference_mode():
        features = model.get_image_features(pixel_values=scaled(batch))
        features = getattr(features, "pooler_output", features)
        token = model.vision_model(pixel_values=scaled(batch)).pooler_output
    np.testing.assert_allclose(final.encode(batch), unit(features), atol=1e-5)
    np.testing.assert_allclose(hidden.encode(batch), unit(token), atol=1e-5)


def test_the_embedding_of_dinov3_is_that_of_transformers(checkpoints: Checkpoints) -> None:
    from transformers import DINOv3ViTModel

    model = DINOv3ViTModel.from_pretrained(checkpoints.dinov3).eval()
    encoder = spec("dinov3-vitl16").load(LoadOptions(weights=checkpoints.dinov3, device="cpu"))
    batch = prepared(encoder, *(picture(seed) for seed in range(3)))
    with torch.inference_mode():
        token = model(pixel_values=scaled(batch)).pooler_output
    np.testing.assert_allclose(encoder.encode(batch), unit(token), atol=1e-5)


def test_preprocessing_follows_the_checkpoint(checkpoints: Checkpoints) -> None:
    bands = Image.new("RGB", (3 * SIDE, SIDE), (0, 200, 0))
    bands.paste((200, 0, 0), (0, 0, SIDE, SIDE))
    bands.paste((0, 0, 200), (2 * SIDE, 0, 3 * SIDE, SIDE))
    crop = spec("clip-vit-b32").load(LoadOptions(weights=checkpoints.clip, device="cpu")).prepare
    squash = spec("dinov3-vitl16").load(LoadOptions(weights=checkpoints.dinov3, device="cpu")).prepare
    assert crop == ShortestEdgeCrop(SIDE, SIDE, "bicubic")
    assert squash == Squash(SIDE, "bilinear")
    middle, whole = crop(bands), squash(bands)
    assert (middle == np.array([0, 200, 0], dtype=np.uint8)[:, None, None]).all()
    assert whole[:, 16, 2].tolist() == [200, 0, 0]
    assert whole[:, 16, 29].tolist() == [0, 0, 200]


def test_provenance_tells_weights_and_kinds_apart_and_not_places(checkpoints: Checkpoints, tmp_path: Path) -> None:
    def provenance(weights: Path, kind: str = "") -> Any:
        return spec("clip-vit-b32").load(LoadOptions(kind=kind, weights=weights, device="cpu")).provenance

    first = provenance(checkpoints.clip)
    shutil.copytree(checkpoints.clip, tmp_path / "moved")
    assert provenance(tmp_path / "moved") == first
    assert len({first, provenance(checkpoints.other_clip), provenance(checkpoints.clip, "hidden")}) == 3


def test_a_checkpoint_that_lacks_some_of_its_weights_is_refused(checkpoints: Checkpoints, tmp_path: Path) -> None:
    # transformers fills the gap with random numbers: every run would give other vectors under one name.
    from safetensors.torch import load_file, save_file

    shutil.copytree(checkpoints.clip, tmp_path / "half")
    tensors = load_file(tmp_path / "half" / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if "visual_projection" not in name}
    assert len(kept) < len(tensors)
    save_file(kept, tmp_path / "half" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsUnavailable):
        spec("clip-vit-b32").load(LoadOptions(weights=tmp_path / "half", device="cpu"))


@pytest.mark.parametrize(("name", "foreign"), [("clip-vit-b32", "dinov3"), ("dinov3-vitl16", "clip")])
def test_a_checkpoint_of_another_family_is_refused(checkpoints: Checkpoints, name: str, foreign: str) -> None:
    with pytest.raises(WeightsUnavailable, match=name):
        spec(name).load(LoadOptions(weights=getattr(checkpoints, foreign), device="cpu"))


@pytest.mark.parametrize("name", ["clip-vit-l14", "dinov3-vitl16"])
def test_a_folder_without_a_checkpoint_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{")
    (tmp_path / "file.safetensors").write_bytes(b"x" * 100)
    for place in ("empty", "broken", "file.safetensors", "missing"):
        with pytest.raises(WeightsUnavailable) as problem:
            spec(name).load(LoadOptions(weights=tmp_path / place))
        assert str(tmp_path / place) in problem.value.message
        assert "config.json" in problem.value.remedy


# -- weights that are nowhere -----------------------------------------------------------

LOAD_ALL = """
import json, time
from dedup.encoders import REGISTRY, LoadOptions
from dedup.errors import WeightsUnavailable
from dedup.encoders.device import hide_unusable_torchvision
hide_unusable_torchvision()
import torch, transformers
answers = {}
for row in REGISTRY:
    if "hub" in row.where_weights_come_from:
        started = time.monotonic()
        try:
            row.load(LoadOptions())
        except WeightsUnavailable as problem:
            answers[row.name] = [row.available(), problem.message, problem.remedy, time.monotonic() - started]
print(json.dumps(answers))
"""


def run_python(script: str, *paths: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter that finds the packages of these folders first."""
    path = os.pathsep.join(map(str, [*paths, PROJECT]))
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": path, **env},
    )


def test_weights_that_cannot_be_had_are_explained_at_once_with_a_remedy(tmp_path: Path) -> None:
    # Fault 18: DINOv3 is gated and there was no fallback.
    done = run_python(LOAD_ALL, HF_HOME=str(tmp_path), HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.splitlines()[-1])
    assert set(answers) == {"clip-vit-l14", "clip-vit-b32", "dinov3-vitl16"}
    for name, (available, message, remedy, seconds) in answers.items():
        assert not available
        assert name in message
        assert re.fullmatch(r"[^\n]+\.", message)
        assert ". " not in message
        assert DEFAULT_ENCODER in remedy
        assert seconds < 10
    assert "gated" in answers["dinov3-vitl16"][1]
    assert "QUICKSTART_DINOV3.md" in answers["dinov3-vitl16"][2]


# -- torchvision ------------------------------------------------------------------------


def fake_torchvision(folder: Path, body: str) -> Path:
    """A package that pip would call torchvision 0.28.0."""
    (folder / "torchvision").mkdir(parents=True)
    (folder / "torchvision" / "__init__.py").write_text(body)
    (folder / "torchvision-0.28.0.dist-info").mkdir()
    (folder / "torchvision-0.28.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: torchvision\nVersion: 0.28.0\n"
    )
    return folder


BROKEN = 'raise RuntimeError("operator torchvision::nms does not exist")\n'
HIDE = """
from dedup.encoders.device import hide_unusable_torchvision
print(hide_unusable_torchvision(), hide_unusable_torchvision())
"""


def test_a_torchvision_that_does_not_fit_its_torch_is_hidden_from_transformers(tmp_path: Path) -> None:
    script = HIDE + "from transformers import CLIPModel, DINOv3ViTModel\nprint(CLIPModel.__name__)\n"
    done = run_python(script, fake_torchvision(tmp_path, BROKEN))
    assert done.stdout.split() == ["True", "True", "CLIPModel"], done.stderr


def test_a_torchvision_that_works_is_left_alone(tmp_path: Path) -> None:
    script = HIDE + "import torchvision\nprint(torchvision.__version__)\n"
    done = run_python(script, fake_torchvision(tmp_path, '__version__ = "0.28.0"\n'))
    assert done.stdout.split() == ["False", "False", "0.28.0"], done.stderr
