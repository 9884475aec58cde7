"""Where weights come from: --weights, the hub's cache, the hub; and how each that cannot be had is refused."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoints import family_of, loaded, run_python, tiny
from conftest import picture

from dedup.encoders import REGISTRY, Encoder, LoadOptions, spec
from dedup.encoders.transformer import FAMILIES
from dedup.errors import WeightsUnavailable
from dedup.settings import DEFAULT_ENCODER

HUB = [row.name for row in REGISTRY if family_of(row) in FAMILIES]
GATED = ["dinov3-vitl16", "dinov3-vitb16", "dinov3-vits16"]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def load(name: str, weights: Path, kind: str = "") -> Encoder:
    return spec(name).load(LoadOptions(kind=kind, weights=weights, device="cpu"))


def encoded(encoder: Encoder, *seeds: int) -> np.ndarray:
    return encoder.encode(torch.from_numpy(np.stack([encoder.prepare(picture(seed)) for seed in seeds])))


def refused(name: str, weights: Path) -> WeightsUnavailable:
    """The refusal, in one sentence with a remedy."""
    with pytest.raises(WeightsUnavailable) as problem:
        load(name, weights)
    assert re.fullmatch(r"[^\n]+\.", problem.value.message)
    assert ". " not in problem.value.message
    assert problem.value.remedy
    return problem.value


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A CLIP of the test's own."""
    shutil.copytree(tiny("clip"), tmp_path / "clip")
    return tmp_path / "clip"


# -- a local folder ---------------------------------------------------------------------


def test_provenance_tells_weights_and_kinds_apart_and_not_places(copied: Path) -> None:
    def made_by(weights: Path, kind: str = "") -> Any:
        return load("clip-vit-b32", weights, kind).provenances[0]

    first = made_by(tiny("clip"))
    assert made_by(copied) == first
    assert len({first, made_by(tiny("clip", seed=2)), made_by(tiny("clip"), "hidden")}) == 3


def test_weights_in_the_older_format_are_read(copied: Path) -> None:
    from safetensors.torch import load_file

    expected = encoded(load("clip-vit-b32", copied), 1)
    torch.save(load_file(copied / "model.safetensors"), copied / "pytorch_model.bin")
    (copied / "model.safetensors").unlink()
    old = load("clip-vit-b32", copied)
    np.testing.assert_allclose(encoded(old, 1), expected, atol=1e-5)
    assert spec("clip-vit-b32").checkpoint(LoadOptions(weights=copied)) == old.provenances[0].checkpoint != ""


def test_a_folder_whose_preprocessing_is_unknown_is_refused(copied: Path) -> None:
    (copied / "preprocessor_config.json").unlink()
    problem = refused("clip-vit-b32", copied)
    assert str(copied) in problem.message
    assert "preprocessor_config.json" in problem.remedy


def test_a_config_as_newer_releases_save_it_is_read(copied: Path) -> None:
    config = json.loads((copied / "preprocessor_config.json").read_text())
    config["resample"] = 2
    (copied / "preprocessor_config.json").unlink()
    whole = {"image_processor": config, "processor_class": "CLIPProcessor"}
    (copied / "processor_config.json").write_text(json.dumps(whole))
    prepare = load("clip-vit-b32", copied).prepare
    assert (prepare.size, prepare.mode) == (32, "bilinear")


def test_a_checkpoint_that_lacks_some_of_its_weights_is_refused(copied: Path) -> None:
    # transformers fills the gap with random numbers: every run would give other vectors under one name.
    from safetensors.torch import load_file, save_file

    tensors = load_file(copied / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if "visual_projection" not in name}
    assert len(kept) < len(tensors)
    save_file(kept, copied / "model.safetensors", metadata={"format": "pt"})
    refused("clip-vit-b32", copied)


def test_a_checkpoint_of_another_size_than_its_config_is_refused(copied: Path) -> None:
    config = json.loads((copied / "config.json").read_text())
    config["projection_dim"] = 24
    (copied / "config.json").write_text(json.dumps(config))
    refused("clip-vit-b32", copied)


@pytest.mark.parametrize(
    ("name", "foreign"),
    [
        ("clip-vit-b32", "dinov3"),
        ("clip-vit-b32", "siglip"),
        ("dinov3-vitl16", "clip"),
        ("dinov3-vitl16", "dinov2"),
        ("dinov2-base", "dinov3"),
        ("align-base", "clip"),
    ],
)
def test_a_checkpoint_of_another_family_is_refused(name: str, foreign: str) -> None:
    assert name in refused(name, tiny(foreign)).message


@pytest.mark.parametrize("name", HUB)
def test_a_folder_without_a_checkpoint_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{")
    (tmp_path / "file.safetensors").write_bytes(b"x" * 100)
    for place in ("empty", "broken", "file.safetensors", "missing"):
        problem = refused(name, tmp_path / place)
        assert str(tmp_path / place) in problem.message
        assert "config.json" in problem.remedy
        assert spec(name).checkpoint(LoadOptions(weights=tmp_path / "missing")) == ""


def test_weights_cut_short_are_refused(copied: Path) -> None:
    weights = copied / "model.safetensors"
    os.truncate(weights, weights.stat().st_size // 2)
    refused("clip-vit-b32", copied)


# -- the hub's cache --------------------------------------------------------------------


def cached(home: Path, hub_id: str, weights: Path) -> Path:
    """A checkpoint in the hub's cache as its own client lays it out."""
    place = home / "hub" / f"models--{hub_id.replace('/', '--')}"
    shutil.copytree(weights, place / "snapshots" / COMMIT)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(COMMIT)
    return place / "snapshots" / COMMIT


FROM_CACHE = """
import json, socket, sys
import numpy as np, torch
from dedup.encoders import LoadOptions, spec
sys.path.insert(0, "tests")
from conftest import picture

def never(*args, **kwargs):
    raise AssertionError("went to the network")

socket.socket.connect = never
answers = {}
for name in NAMES:
    row = spec(name)
    before = row.available(), row.checkpoint(LoadOptions())
    encoder = row.load(LoadOptions(device="cpu"))
    rows = encoder.encode(torch.from_numpy(encoder.prepare(picture(1))[None]))
    words = encoder.encode_text(["a cat"]).tolist() if row.text else None
    answers[name] = [*before, encoder.provenances[0].checkpoint, rows.tolist(), words]
print(json.dumps(answers))
"""


@pytest.mark.parametrize("offline", ["1", "0"])
def test_what_is_in_the_hubs_cache_is_used_without_the_network(tmp_path: Path, offline: str) -> None:
    names = {"clip-vit-b32": "openai/clip-vit-base-patch32", "dinov2-base": "facebook/dinov2-base"}
    for name, hub_id in names.items():
        cached(tmp_path, hub_id, tiny(family_of(spec(name))))
    script = FROM_CACHE.replace("NAMES", repr(list(names)))
    done = run_python(script, Path(__file__).parent, HF_HOME=str(tmp_path), HF_HUB_OFFLINE=offline)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.splitlines()[-1])
    for name in names:
        available, known, checkpoint, rows, words = answers[name]
        assert available
        assert known == checkpoint == COMMIT
        np.testing.assert_allclose(np.array(rows), encoded(loaded(name), 1), atol=1e-4)
        if words is not None:
            np.testing.assert_allclose(np.array(words), loaded(name).encode_text(["a cat"]), atol=1e-4)


# -- weights that are nowhere -----------------------------------------------------------

LOAD = """
import json, time
from dedup.encoders import LoadOptions, spec
from dedup.errors import WeightsUnavailable
from dedup.encoders.device import hide_unusable_torchvision
hide_unusable_torchvision()
import torch, transformers
answers = {}
for name in NAMES:
    row = spec(name)
    started = time.monotonic()
    try:
        row.load(LoadOptions())
    except WeightsUnavailable as problem:
        seconds = time.monotonic() - started
        answers[name] = [row.available(), problem.message, problem.remedy, seconds]
print(json.dumps(answers))
"""


def refusals(names: list[str], home: Path, seconds: float, **env: str) -> None:
    """Every row is refused within so many seconds, in one sentence with a remedy."""
    done = run_python(LOAD.replace("NAMES", repr(names)), HF_HOME=str(home), **env)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.splitlines()[-1])
    assert list(answers) == names
    for name, (available, message, remedy, took) in answers.items():
        assert not available
        assert name in message
        assert re.fullmatch(r"[^\n]+\.", message)
        assert ". " not in message
        assert DEFAULT_ENCODER in remedy
        assert took < seconds, (name, took)
        if name in GATED:
            assert "gated" in message
            assert "QUICKSTART_DINOV3.md" in remedy
            assert "dinov2-base" in remedy


def test_weights_that_cannot_be_had_are_explained_at_once_with_a_remedy(tmp_path: Path) -> None:
    # Fault 18: DINOv3 is gated and there was no fallback.
    assert set(GATED) <= set(HUB)
    # Of this one everything is there but the weights, as an interrupted download leaves it.
    (cached(tmp_path, "facebook/dinov2-large", tiny("dinov2")) / "model.safetensors").unlink()
    refusals(HUB, tmp_path, 5, HF_HUB_OFFLINE="1")


def test_a_hub_that_answers_nothing_is_not_waited_for(tmp_path: Path) -> None:
    refusals(["clip-vit-b32", "dinov3-vits16"], tmp_path, 10, HF_HUB_OFFLINE="0", HF_ENDPOINT="http://10.255.255.1")
