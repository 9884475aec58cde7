"""A network run by ONNX Runtime on a CPU: its operators are fused and laid out for the processor, no compiler needed.

The network is written out once, for this machine's versions, and read back later. Where that is
not possible, or does not give the same vectors, it runs as it is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dedup import settings

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
OPSET = 17
LEAST_COSINE = 0.99995

Forward = Callable[["Tensor"], tuple["Tensor", ...]]


def compiled(forward: Forward, example: Tensor, weights: str) -> Forward:
    """``forward`` through ONNX Runtime, or ``forward`` itself where that cannot be.

    ``example``: (n, 3, h, w) float32 pixels as ``forward`` takes them, on which both must agree; n is free later.
    ``weights``: what tells these weights from any others, as a digest.
    """
    if find_spec("onnxruntime") is None:
        return forward
    file = _file(weights, tuple(example.shape[1:]))
    with suppress(Exception):  # whatever is wrong with a file left by an earlier run: it is written again
        return _run_by(_session(file.read_bytes())) if file.is_file() else _exported(forward, example, file)
    with suppress(Exception):  # an operator the format lacks, a full disk, a model beyond 2 GB
        return _exported(forward, example, file)
    return forward


def _file(weights: str, shape: tuple[int, ...]) -> Path:
    import onnxruntime
    import torch

    made_of = "\n".join([str(FORMAT), weights, str(shape), torch.__version__, onnxruntime.__version__])
    return settings.home() / "compiled" / f"{blake2b(made_of.encode(), digest_size=16).hexdigest()}.onnx"


def _exported(forward: Forward, example: Tensor, file: Path) -> Forward:
    """The forward read back from what was written, which is kept only if both agree."""
    import torch

    class Network(torch.nn.Module):
        def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
            return forward(pixels)

    written = BytesIO()
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = forward(example)
        torch.onnx.export(
            Network().eval(),
            (example,),
            cast(Any, written),  # its types know only paths
            input_names=["pixels"],
            output_names=[f"layer{i}" for i in range(len(expected))],
            dynamic_axes={"pixels": {0: "n"}},
            opset_version=OPSET,
            dynamo=False,
        )
        run = _run_by(_session(written.getvalue()))
        if not _agree(expected, run(example)):
            return forward
    with suppress(OSError):  # written again next time
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(written.getvalue())
    return run


def _agree(first: tuple[Tensor, ...], second: tuple[Tensor, ...]) -> bool:
    from torch.nn.functional import cosine_similarity

    return all(bool((cosine_similarity(a, b, dim=1) >= LEAST_COSINE).all()) for a, b in zip(first, second, strict=True))


def _session(network: bytes) -> Any:
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    # A thread that spins while it waits takes the core that a decode worker needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])


def _run_by(session: Any) -> Forward:
    import torch

    def run(pixels: Tensor) -> tuple[Tensor, ...]:
        return tuple(torch.from_numpy(rows) for rows in session.run(None, {"pixels": pixels.contiguous().numpy()}))

    return run
