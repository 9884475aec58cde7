"""What indexing costs beyond its parts, and beside other tools: CPU and wall seconds per picture.

    pip install -r bench/requirements.txt
    python bench/hashing.py PICTURES [--encoder NAME] [--pictures N] [--sizes small,12] [--formats jpeg,png] [--quick]

PICTURES is a folder of photos: N of them are brought to each size (0.2 to 24 megapixels) and saved in each format.
For each such folder: decoding alone at the size the encoder needs, with what else a worker does (the digest, the
fingerprint of the frame), and beside it Pillow's full decode brought to the same size; the encoder alone on ready
batches; ``index`` whole, from a cold database, in its worker processes, with the encoder loaded; the plain way, which
decodes in full with Pillow and then encodes; and for fingerprints imagehash and imagededup. The ratios are printed
beside the times.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from PIL import Image
from tables import table

from dedup import images, workflow
from dedup.decoding import default_workers, read_and_prepare
from dedup.encoders import LoadOptions, spec
from dedup.progress import silent
from dedup.scan import list_pictures
from dedup.settings import Settings

MEGAPIXELS = {"small": 0.2, "9": 9.0, "12": 12.0, "24": 24.0}
SAVED_AS = {"jpeg": "jpg", "png": "png", "webp": "webp", "heic": "heic"}
BATCH = 32
EAGER = 64  # pictures for what takes long


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds for each picture: of all processors together, and by the clock."""

    cpu: float
    wall: float


def measured(work: Callable[[], object], count: int) -> Cost:
    """What a piece of work on ``count`` pictures costs, its ended child processes included."""
    cpu, wall = _cpu(), time.perf_counter()
    work()
    return Cost((_cpu() - cpu) / count, (time.perf_counter() - wall) / count)


def _cpu() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def make_folder(photos: Path, size: str, kind: str, count: int, into: Path) -> Path:
    """``count`` photos at a size in a format, in a folder of their own; where there are fewer, cut ever closer."""
    folder = into / f"{kind}-{size}"
    folder.mkdir()
    found = sorted(facts.path for facts in list_pictures(photos).files)
    done = 0
    for turn in range(count):
        for path in found:
            if done == count:
                return folder
            try:
                image = images.open_upright(photos / path, None, 100).image
            except Exception:  # a broken one is no photo
                continue
            image = image.crop((8 * turn, 8 * turn, image.width, image.height))
            factor = (MEGAPIXELS[size] * 1e6 / (image.width * image.height)) ** 0.5
            scaled = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.BICUBIC)
            file = folder / f"{done:05}.{SAVED_AS[kind]}"
            scaled.save(file, **({"quality": 88} if kind != "png" else {"compress_level": 1}))
            done += 1
        if done == 0:
            raise SystemExit(f"{photos} holds no pictures.")
    return folder


def rows_of(folder: Path, encoder: str, others: bool) -> Iterator[tuple[str, Cost]]:
    """Each way to hash a folder, with its cost."""
    encode = spec(encoder).load(LoadOptions())
    files = list_pictures(folder).files
    count = len(files)
    ready: list[Any] = []

    def decode() -> None:
        ready.extend(read_and_prepare(folder, facts, encode.prepare, 100).pixels for facts in files)

    import torch

    torch.set_num_threads(1)
    yield "decoding alone, one core", measured(decode, count)
    some_files = files[:EAGER]
    yield "of it the decode and the resize", measured(lambda: _reduced(folder, some_files, encode), len(some_files))
    yield "full Pillow decode, one core", measured(lambda: _whole(folder, some_files, encode), len(some_files))
    batches = [torch.from_numpy(np.stack(ready[start : start + BATCH])) for start in range(0, count, BATCH)]
    encode.encode(batches[0])
    yield "encoder alone", measured(lambda: [encode.encode(batch) for batch in batches], count)
    if encoder == "efficientnet-lite0":
        some = ready[:EAGER]
        yield "its network as PyTorch runs it, one core", measured(lambda: _eager(some), len(some))
    torch.set_num_threads(default_workers())
    how = Settings(encoder=encoder)
    yield "index, whole", measured(lambda: workflow.index(folder, how, silent, encoder=encode), count)
    yield "the plain way: full decode, then the encoder", measured(lambda: _plain_way(folder, files, encode), count)
    if others:
        yield from _others(folder, count)


def _reduced(folder: Path, files: Any, encode: Any) -> None:
    for facts in files:
        encode.prepare(images.decode((folder / facts.path).read_bytes(), encode.prepare.size).image)


def _whole(folder: Path, files: Any, encode: Any) -> list[Any]:
    """What the encoder takes of each picture decoded at its full size."""
    found = []
    for facts in files:
        with Image.open(folder / facts.path) as image:
            found.append(encode.prepare(image.convert("RGB")))
    return found


def _eager(pixels: Any) -> None:
    """The default encoder's network in float32, as its package gives it."""
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0").eval()
    with torch.inference_mode():
        for start in range(0, len(pixels), BATCH):
            batch = torch.from_numpy(np.stack(pixels[start : start + BATCH]))
            network.extract_features((batch.float() / 255 - 0.498) / 0.502)


def least_cosine(folder: Path, encoder: str) -> float:
    """The least cosine between an embedding of a picture as ``index`` decodes it and of the whole decode."""
    import torch

    encode = spec(encoder).load(LoadOptions())
    files = list_pictures(folder).files[:EAGER]
    ours = [read_and_prepare(folder, facts, encode.prepare, 100).pixels for facts in files]
    rows = [encode.encode(torch.from_numpy(np.stack(one))) for one in (ours, _whole(folder, files, encode))]
    one, two = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in rows)
    return float(np.einsum("ij,ij->i", one, two).min())


def _plain_way(folder: Path, files: Any, encode: Any) -> None:
    import torch

    for facts in files:
        with Image.open(folder / facts.path) as image:
            prepared = encode.prepare(image.convert("RGB"))
        encode.encode(torch.from_numpy(prepared[None]))


def _others(folder: Path, count: int) -> Iterator[tuple[str, Cost]]:
    paths = [os.fspath(path) for path in sorted(folder.iterdir()) if path.suffix.lstrip(".") in SAVED_AS.values()]

    def hashed() -> None:
        with ProcessPoolExecutor(default_workers()) as pool:
            list(pool.map(_phash, paths, chunksize=8))

    yield "imagehash.phash, a process per core", measured(hashed, count)
    try:
        methods = importlib.import_module("imagededup.methods")
    except Exception:  # not installed, or its torchvision does not fit its torch
        return
    method = methods.PHash(verbose=False)
    yield "imagededup PHash", measured(lambda: method.encode_images(os.fspath(folder)), count)


def _phash(path: str) -> str:
    import imagehash

    with Image.open(path) as image:
        return str(imagehash.phash(image))


def main(words: list[str] | None = None) -> int:
    """Print one table for each size and format."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, metavar="PICTURES")
    parser.add_argument("--encoder", action="append", help="repeatable; the default encoder and pdq without it")
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--sizes", default="small,12")
    parser.add_argument("--formats", default="jpeg")
    parser.add_argument("--quick", action="store_true", help="24 small JPEGs: whether it runs; the ratios mean little")
    options = parser.parse_args(words)
    sizes, kinds = options.sizes.split(","), options.formats.split(",")
    count = 24 if options.quick else options.pictures
    if options.quick:
        sizes, kinds = ["small"], ["jpeg"]
    print(
        f"{count} pictures, {default_workers()} cores, {platform.processor() or platform.machine()}, Python "
        f"{platform.python_version()}"
    )
    for kind in kinds:
        for size in sizes:
            for encoder in options.encoder or ["efficientnet-lite0", "pdq"]:
                with tempfile.TemporaryDirectory() as scratch:
                    folder = make_folder(options.photos, size, kind, count, Path(scratch))
                    costs = list(rows_of(folder, encoder, encoder != "efficientnet-lite0"))
                    cosine = least_cosine(folder, encoder)
                print(f"\n{encoder}, {kind}, {MEGAPIXELS[size]:g} megapixels\n")
                print(table(["", "CPU ms", "wall ms", "pictures/s", "of decoding + encoder"], _lines(costs)))
                if encoder == "efficientnet-lite0":
                    print(f"\nLeast cosine between embeddings of this decode and of the full one: {cosine:.4f}")
    return 0


def _lines(costs: list[tuple[str, Cost]]) -> Iterator[list[str]]:
    alone = dict(costs)
    parts = alone["decoding alone, one core"].cpu + alone["encoder alone"].cpu
    for name, cost in costs:
        yield [
            name,
            f"{1e3 * cost.cpu:.1f}",
            f"{1e3 * cost.wall:.1f}",
            f"{1 / cost.wall:.0f}",
            f"{cost.cpu / parts:.2f} x",
        ]


if __name__ == "__main__":
    sys.exit(main())
