"""A network run by ONNX Runtime on a CPU: its operators are fused and laid out for the processor, no compiler needed.

The network is written out once, for this machine's versions, and read back later. Where that is
not possible, or does not give the same vectors, it runs as it is. Each core takes a few pictures at
a time: what lies between the layers of so few stays in its cache, and no core waits for another.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from dedup.cache import Cached
from dedup.encoders.interface import Float32Rows

if TYPE_CHECKING:
    import torch
    from torch import Tensor

OPSET = 17
LEAST_COSINE = 0.99995
# Pictures a core takes at once: of 1 to 32, two are the fastest for convolutions and near it for transformers.
PIECE = 2
# A network is written out only where the machine has this many times its bytes: the copies on the way need it.
MEMORY_PER_BYTE = 8
ASSUMED_MEMORY = 8 << 30

Forward = Callable[["Tensor"], tuple["Tensor", ...]]


def compiled(forward: Forward, network: torch.nn.Module, example: Tensor, weights: str) -> Forward:
    """``forward`` through ONNX Runtime, or ``forward`` itself where that cannot be.

    ``network``: what ``forward`` runs. ``example``: (n, 3, h, w) pixels as ``forward`` takes them, on
    which both must agree; n is free later.
    ``weights``: what tells these weights from any others, as a digest.
    """
    if find_spec("onnxruntime") is None or not fits_memory(network):
        return forward
    kept = _kept(weights, tuple(example.shape[1:]))
    with suppress(Exception):  # whatever is wrong with a file left by an earlier run: it is written again
        if written := kept.read():
            return _Pieces(written)
    with suppress(Exception):  # an operator the format lacks, a full disk, a model beyond 2 GB
        return _exported(forward, network, example, kept)
    return forward


def _kept(weights: str, shape: tuple[int, ...]) -> Cached:
    import onnxruntime
    import torch

    return Cached("compiled", ".onnx", (weights, str(shape)), (torch.__version__, onnxruntime.__version__, str(OPSET)))


def fits_memory(network: torch.nn.Module) -> bool:
    """Whether this machine has the memory to write the network out and read it back."""
    needed = MEMORY_PER_BYTE * sum(weights.numel() * weights.element_size() for weights in network.parameters())
    try:
        return needed <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows does not say: what a laptop has
        return needed <= ASSUMED_MEMORY


def _exported(forward: Forward, network: torch.nn.Module, example: Tensor, kept: Cached) -> Forward:
    """The forward read back from what was written, which is kept only if both agree."""
    import torch

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network  # the tracer must know whose weights it meets

        def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
            return forward(pixels)

    for weights in network.parameters():
        weights.requires_grad_(False)
    written = BytesIO()
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = forward(example)
        torch.onnx.export(
            Whole().eval(),
            (example,),
            cast(Any, written),  # its types know only paths
            input_names=["pixels"],
            output_names=[f"layer{i}" for i in range(len(expected))],
            dynamic_axes={"pixels": {0: "n"}},
            opset_version=OPSET,
            dynamo=False,
        )
        run = _Pieces(written.getvalue())
        if not _agree(expected, run(example)):
            return forward
    kept.write(written.getvalue())
    return run


def _agree(first: tuple[Tensor, ...], second: tuple[Tensor, ...]) -> bool:
    from torch.nn.functional import cosine_similarity

    return all(bool((cosine_similarity(a, b, dim=1) >= LEAST_COSINE).all()) for a, b in zip(first, second, strict=True))


class _Pieces:
    """A written network, run on pieces of a batch by as many threads as there are cores."""

    def __init__(self, network: bytes) -> None:
        import onnxruntime
        import torch

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
        self._threads = torch.get_num_threads()
        self._pool = ThreadPoolExecutor(self._threads)

    def __call__(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """(n, 3, h, w) pixels -> one (n, dim) tensor for each layer, n at least 1."""
        import torch

        layers = zip(*self._pool.map(self._run, self._pieces(pixels)), strict=True)
        return tuple(torch.from_numpy(np.concatenate(rows)) for rows in layers)

    def _pieces(self, pixels: Tensor) -> Iterator[Tensor]:
        size = min(PIECE, -(-len(pixels) // self._threads))
        return (pixels[start : start + size] for start in range(0, len(pixels), size))

    def _run(self, piece: Tensor) -> list[Float32Rows]:
        return cast("list[Float32Rows]", self._session.run(None, {"pixels": piece.contiguous().numpy()}))
