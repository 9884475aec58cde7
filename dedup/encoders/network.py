"""What every neural encoder does the same way: scale on the device, run, bring rows to length 1."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from dedup.encoders.compiled import compiled
from dedup.encoders.interface import Float32Rows, Prepare, no_text
from dedup.provenance import Provenance

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# Half precision is used only where it changes an embedding by less than this (relative, Euclidean).
HALF_PRECISION_ERROR = 1e-2
# Tried in this order: float16 has three more bits of mantissa than bfloat16, which has the larger range.
HALF_PRECISIONS = {"cuda": ("float16", "bfloat16"), "mps": ("float16",)}

Forward = Callable[["Tensor"], tuple["Tensor", ...]]
EncodeText = Callable[[Sequence[str]], Float32Rows]


@dataclass(frozen=True, slots=True)
class Scaling:
    """From uint8 levels to a network's input: (level * factor - mean) / std, per channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    factor: float = 1 / 255


class NetworkEncoder:
    """A network with its preprocessing.

    ``forward`` takes (n, 3, h, w) float pixels and gives one (n, dim) tensor for each of the
    ``layers``. ``made_by`` is (encoder, checkpoint, preprocessing version). ``compile_on_cpu`` is
    the network that ``forward`` runs, where its checkpoint is known for certain.
    """

    def __init__(
        self,
        made_by: tuple[str, str, int],
        layers: Sequence[str],
        forward: Forward,
        prepare: Prepare,
        scaling: Scaling,
        device: str,
        *,
        channels_last: bool = False,
        compile_on_cpu: torch.nn.Module | None = None,
        text: EncodeText | None = None,
    ) -> None:
        import torch

        self.device = device
        self.prepare = prepare
        self._forward = forward
        self._text = text
        self._format = torch.channels_last if channels_last else torch.contiguous_format
        self._factor = scaling.factor
        self._mean = torch.tensor(scaling.mean, device=device).view(1, -1, 1, 1)
        self._std = torch.tensor(scaling.std, device=device).view(1, -1, 1, 1)
        name, checkpoint, preprocessing = made_by
        self._embed: Forward = self._scaled_and_embedded
        if compile_on_cpu is not None and device == "cpu":
            weights = f"{name} {checkpoint} {scaling} {' '.join(layers)}"
            self._embed = compiled(self._embed, compile_on_cpu, _probe(prepare), weights)
        self.dtype = chosen_precision(self._parts, _probe(prepare), HALF_PRECISIONS.get(_kind(device), ()))
        embedded = self._parts(_probe(prepare)[:1], None)
        if not all(bool(torch.isfinite(part).all()) for part in embedded):
            raise ValueError(f"{name} gives no finite numbers")
        dims = [part.shape[1] for part in embedded]
        self.provenances = tuple(
            Provenance(name, checkpoint, layer, preprocessing, dim) for layer, dim in zip(layers, dims, strict=True)
        )

    def encode(self, batch: Tensor) -> Float32Rows:
        """(n, 3, h, w) uint8 -> (n, width) float32 rows, the embedding of each layer at length 1."""
        import torch

        rows = torch.cat(self._parts(batch, self.dtype), dim=1)
        if self.dtype is not None and bool((lost := ~torch.isfinite(rows).all(dim=1).cpu()).any()):
            # Pictures beyond the range of half precision, and only these: the others' rows stay as they are.
            rows[lost.to(rows.device)] = torch.cat(self._parts(batch[lost], None), dim=1)
        return cast(Float32Rows, rows.cpu().numpy())

    def encode_text(self, texts: Sequence[str]) -> Float32Rows:
        """(n, dim) float32 unit rows; raises DedupError where the model has no text tower."""
        if self._text is None:
            raise no_text(self.provenances[0].encoder)
        return self._text(texts) if texts else np.empty((0, self.provenances[0].dim), dtype=np.float32)

    def _parts(self, batch: Tensor, dtype: torch.dtype | None) -> tuple[Tensor, ...]:
        import torch

        with torch.inference_mode(), _autocast(self.device, dtype):
            return self._embed(batch)

    def _scaled_and_embedded(self, batch: Tensor) -> tuple[Tensor, ...]:
        from torch.nn.functional import normalize

        return tuple(normalize(part.float(), dim=1) for part in self._forward(self._scaled(batch)))

    def _scaled(self, batch: Tensor) -> Tensor:
        pixels = on_device(batch, self.device).float().mul_(self._factor).sub_(self._mean).div_(self._std)
        return pixels.contiguous(memory_format=self._format)


def on_device(batch: Tensor, device: str) -> Tensor:
    """The batch on the device; to a GPU through pinned memory, without waiting for the copy."""
    if _kind(device) == "cuda":
        return batch.pin_memory().to(device, non_blocking=True)
    return batch.to(device)


def chosen_precision(
    parts: Callable[[Tensor, torch.dtype | None], Sequence[Tensor]], probe: Tensor, names: Sequence[str]
) -> torch.dtype | None:
    """The first half precision of these that stays within 1e-2 of float32 on the probe; None for float32."""
    import torch

    if not names:
        return None
    exact = parts(probe, None)
    for name in names:
        dtype: torch.dtype = getattr(torch, name)
        if dtype == torch.bfloat16 and torch.cuda.is_available() and not torch.cuda.is_bf16_supported():
            continue
        try:
            rough = parts(probe, dtype)
        except (RuntimeError, TypeError, NotImplementedError):  # an operator the device lacks in this precision
            continue
        errors = [float((a - b).norm(dim=1).max()) for a, b in zip(exact, rough, strict=True)]
        if all(error <= HALF_PRECISION_ERROR for error in errors):  # false for NaN
            return dtype
    return None


def _autocast(device: str, dtype: torch.dtype | None) -> AbstractContextManager[object]:
    import torch

    return nullcontext() if dtype is None else torch.autocast(_kind(device), dtype=dtype)


def _kind(device: str) -> str:
    return device.partition(":")[0]


def _probe(prepare: Prepare) -> Tensor:
    """A few drawn pictures from smooth to noisy, prepared, the same every time."""
    import torch
    from PIL import Image

    chance = np.random.default_rng(0)

    def drawn() -> Iterator[Image.Image]:
        for cells in (3, 12, 48, 192):
            noise = chance.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
            yield Image.fromarray(noise).resize((256, 256), Image.Resampling.BICUBIC)

    return torch.from_numpy(np.stack([prepare(image) for image in drawn()]))
