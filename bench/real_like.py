"""Vectors with the distribution of real embeddings, as many as are wanted: uniform random ones flatter every search."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from PIL import Image

from dedup import images
from dedup.encoders import LoadOptions, spec
from dedup.scan import list_pictures

Rows = np.ndarray[Any, np.dtype[Any]]
NOISE = 0.25
COPIES, LEAST_CHANGED, MOST_CHANGED = 0.15, 0.05, 0.6
STATED = (
    "each row lies between two embeddings of real pictures (weights 0.3 to 0.7) and has a random vector of length 0.25 "
    "added; 15 % are then near copies of another row, with a random vector of length 0.05 to 0.6 added; all of length 1"
)


def embeddings(folder: Path | None, encoder: str = "efficientnet-lite0", most: int = 3000) -> Rows:
    """(n, dim) float32 rows: the embeddings of up to ``most`` pictures below a folder, or of drawn ones."""
    import torch

    encode = spec(encoder).load(LoadOptions())
    rows = []
    for batch in _batches(folder, most):
        prepared = np.stack([encode.prepare(image) for image in batch])
        rows.append(encode.encode(torch.from_numpy(prepared)))
    if not rows:
        raise SystemExit(f"{folder} holds no pictures.")
    return np.concatenate(rows)


def real_like(base: Rows, count: int, seed: int = 0) -> Rows:
    """(count, dim) float16 rows like those of ``base``; see STATED."""
    chance = np.random.default_rng(seed)
    rows = np.empty((count, base.shape[1]), dtype=np.float16)
    for start in range(0, count, 8192):
        n = min(8192, count - start)
        one, two = base[chance.integers(0, len(base), n)], base[chance.integers(0, len(base), n)]
        weight = 0.3 + 0.4 * chance.random((n, 1), dtype=np.float32)
        part = _unit(_unit(weight * one + (1 - weight) * two) + NOISE * _directions(chance, n, base.shape[1]))
        copies = np.flatnonzero(chance.random(n) < COPIES)
        originals = chance.integers(0, n, len(copies))
        changed = LEAST_CHANGED + (MOST_CHANGED - LEAST_CHANGED) * chance.random((len(copies), 1), dtype=np.float32)
        part[copies] = _unit(part[originals] + changed * _directions(chance, len(copies), base.shape[1]))
        rows[start : start + n] = part
    return rows


def _directions(chance: np.random.Generator, count: int, dim: int) -> Rows:
    return _unit(chance.standard_normal((count, dim), dtype=np.float32))


def _unit(rows: Rows) -> Rows:
    lengths: Rows = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / lengths


def _batches(folder: Path | None, most: int) -> Any:
    batch: list[Image.Image] = []
    for image in _pictures(folder, most):
        batch.append(image)
        if len(batch) == 32:
            yield batch
            batch = []
    if batch:
        yield batch


def _pictures(folder: Path | None, most: int) -> Any:
    if folder is None:
        chance = np.random.default_rng(0)
        for _ in range(min(most, 500)):
            cells = int(chance.integers(2, 40))
            noise = chance.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
            yield Image.fromarray(noise).resize((256, 256), Image.Resampling.BICUBIC)
        return
    for facts in list_pictures(folder).files[:most]:
        try:
            yield images.open_upright(folder / facts.path, 224, 100).image
        except Exception:  # a picture that cannot be read gives no vector
            continue


__all__ = ["STATED", "embeddings", "real_like"]
