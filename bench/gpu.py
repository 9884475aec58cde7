"""What a GPU makes of indexing and matching: encoder alone, index whole, its waiting time, a million vectors matched.

    python bench/gpu.py PICTURES [--encoder NAME] [--rows N] [--dim D] [--threshold T] [--quick]

Needs a CUDA device; the device's name is printed. ``encoder alone`` runs on batches that are ready in memory; ``index``
is the whole of it from a cold database; the share of time the GPU waits is what the first does not explain of that.
Matching is compared with the rate of plain matrix products in bfloat16 on the same device.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from real_like import STATED, real_like
from tables import table

from dedup import images, workflow
from dedup.encoders import LoadOptions, spec
from dedup.gpu_jpeg import gpu_reducer
from dedup.match import find_matches
from dedup.progress import silent
from dedup.scan import list_pictures
from dedup.settings import Settings

BATCH = 256
SIDE = 8192  # of the matrices whose product gives the device's rate


def encoder_rate(name: str, photos: Path, batches: int) -> float:
    """Pictures a second of the encoder alone."""
    import torch

    encoder = spec(name).load(LoadOptions(device="cuda"))
    files = list_pictures(photos).files[:BATCH]
    ready = np.stack([encoder.prepare(images.open_upright(photos / one.path, 224, 100).image) for one in files])
    batch = torch.from_numpy(ready)
    encoder.encode(batch)
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(batches):
        encoder.encode(batch)
    torch.cuda.synchronize()
    return batches * len(batch) / (time.perf_counter() - started)


def index_rate(name: str, photos: Path, gpu_jpegs: bool) -> float:
    """Pictures a second of index, from a cold database."""
    chosen = Settings(encoder=name, gpu_jpegs=gpu_jpegs)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "pictures"
        shutil.copytree(photos, folder)
        workflow.index(folder, chosen, silent)  # loads the weights, finds the batch size
        (folder / "image_database.db").unlink()
        started = time.perf_counter()
        result = workflow.index(folder, chosen, silent)
        return result.pictures / (time.perf_counter() - started)


def product_rate() -> float:
    """Multiplications and additions a second of large bfloat16 matrix products."""
    import torch

    one = torch.randn(SIDE, SIDE, device="cuda", dtype=torch.bfloat16)
    one @ one
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(20):
        one @ one
    torch.cuda.synchronize()
    return 20 * 2.0 * SIDE**3 / (time.perf_counter() - started)


def main(words: list[str] | None = None) -> int:
    """Print one table."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, metavar="PICTURES")
    parser.add_argument("--encoder", default="efficientnet-lite0")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--threshold", type=float, default=0.9)
    parser.add_argument("--quick", action="store_true", help="20,000 rows")
    options = parser.parse_args(words)
    if not torch.cuda.is_available():
        print("There is no CUDA device here.", file=sys.stderr)
        return 1
    rows = 20_000 if options.quick else options.rows
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, Python {platform.python_version()}")
    print(f"Vectors: drawn directions in place of pictures' embeddings; {STATED}.\n")
    alone, whole = encoder_rate(options.encoder, options.photos, 20), index_rate(options.encoder, options.photos, False)
    nvjpeg = "not to be had here"
    if gpu_reducer("cuda"):
        nvjpeg = f"{index_rate(options.encoder, options.photos, True):,.0f} pictures/s"
    base = np.random.default_rng(0).standard_normal((3000, options.dim)).astype(np.float32)
    vectors = real_like(base / np.linalg.norm(base, axis=1, keepdims=True), rows)
    started = time.perf_counter()
    found = find_matches(vectors, options.threshold, device="cuda")
    seconds = time.perf_counter() - started
    rate, device = rows * rows * options.dim / seconds, product_rate()
    lines = [
        [f"{options.encoder}, encoder alone", f"{alone:,.0f} pictures/s"],
        [f"{options.encoder}, index", f"{whole:,.0f} pictures/s"],
        [f"{options.encoder}, index --gpu-jpegs", nvjpeg],
        ["the GPU waits", f"{max(0.0, 1 - whole / alone):.0%} of the time"],
        [f"matching {rows:,} x {options.dim} at {options.threshold:g}", f"{seconds:.1f} s, {len(found):,} pairs"],
        ["of the device's bfloat16 products", f"{rate / device:.0%} of {device / 1e12:.0f} TFLOP/s"],
    ]
    print(table(["", "measured"], lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
