"""The device encoders run on, its memory, and the guard against a torchvision that does not fit its torch."""

from __future__ import annotations

import sys


def choose_device(wanted: str = "") -> str:
    """The device asked for, else CUDA, else Apple's GPU, else the CPU."""
    import torch

    if wanted:
        return wanted
    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    return "cpu"


def hide_unusable_torchvision() -> bool:
    """Make transformers import without torchvision where torchvision cannot be imported.

    The CUDA build of torchvision beside a CPU build of torch fails on import with a
    RuntimeError, and then every model of transformers fails too. True when it was hidden.
    """
    if sys.modules.get("torchvision", ...) is None:
        return True
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError, OSError):
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        sys.modules["torchvision"] = None  # type: ignore[assignment]
        return True
    return False


def is_out_of_memory(problem: BaseException) -> bool:
    """Whether an error says that memory ran out, on whatever device."""
    # torch.OutOfMemoryError is a RuntimeError; the CPU allocator and CUDA's libraries raise plain ones.
    text = str(problem).lower()
    signs = ("out of memory", "not enough memory", "can't allocate memory", "alloc_failed")
    return isinstance(problem, MemoryError) or any(sign in text for sign in signs)
