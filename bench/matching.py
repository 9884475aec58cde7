"""How long finding every pair at or above a threshold takes: this matcher beside faiss and the plain ways.

    pip install -r bench/requirements.txt
    python bench/matching.py [PICTURES] [--rows N] [--dim D] [--threshold T] [--fingerprints] [--only TOOL] [--quick]

Vectors are made from the embeddings of PICTURES (of drawn pictures without it); ``real_like.py`` says how.
Fingerprints are random bits with one in ten copied and changed. Before a time is printed the pairs of a part of the
rows are compared with brute force in float64, and on all rows the tools with each other.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from real_like import STATED, embeddings, real_like
from tables import table

from dedup.match import find_matches
from dedup.vectors import Vectors

Rows = np.ndarray[Any, np.dtype[Any]]
Pairs = Rows  # (n, 2) row numbers, left < right
CHECKED = 3000  # rows whose pairs are compared with brute force in float64
CLOSE = 1e-5  # float32 and float64 may disagree about pairs this near the threshold


def ours(rows: Rows, threshold: float) -> Pairs:
    """This matcher."""
    found = find_matches(rows, threshold)
    return np.column_stack([found.left, found.right])


def plain(rows: Rows, threshold: float) -> Pairs:
    """The product of one block of rows with all later ones, in float32."""
    unit = _unit(rows)
    found = []
    for start in range(0, len(unit), 1024):
        left, right = np.nonzero(unit[start : start + 1024] @ unit[start:].T >= threshold)
        found.append(np.column_stack([left + start, right + start])[left < right])
    return np.concatenate(found)


def seed(rows: Rows, threshold: float) -> Pairs:
    """Chunks of 1,000 rows against all rows with torch.where, as the tool this one follows does."""
    import torch

    unit = torch.from_numpy(_unit(rows))
    found = []
    for start in range(0, len(unit), 1000):
        left, right = torch.where(unit[start : start + 1000] @ unit.T >= threshold)
        left = left + start
        found.append(torch.stack([left[left < right], right[left < right]], dim=1).numpy())
    return np.concatenate(found)


def faiss_flat(rows: Rows, threshold: float) -> Pairs:
    """faiss IndexFlatIP.range_search in blocks of 4,096 queries."""
    faiss = importlib.import_module("faiss")
    unit = _unit(rows)
    index = faiss.IndexFlatIP(unit.shape[1])
    index.add(unit)
    found = []
    for start in range(0, len(unit), 4096):
        limits, _, numbers = index.range_search(unit[start : start + 4096], threshold)
        left = np.repeat(np.arange(len(limits) - 1) + start, np.diff(limits).astype(np.int64))
        found.append(np.column_stack([left, numbers])[left < numbers])
    return np.concatenate(found)


def bits_ours(packed: Rows, distance: int) -> Pairs:
    """This matcher on fingerprints."""
    bits = packed.shape[1] * 8
    found = find_matches(Vectors(packed[:, None], bits), 1.0 - 2.0 * distance / bits)
    return np.column_stack([found.left, found.right])


def bits_faiss(packed: Rows, distance: int) -> Pairs:
    """faiss IndexBinaryFlat.range_search in blocks of 4,096 queries."""
    faiss = importlib.import_module("faiss")
    index = faiss.IndexBinaryFlat(packed.shape[1] * 8)
    index.add(packed)
    found = []
    for start in range(0, len(packed), 4096):
        limits, _, numbers = index.range_search(packed[start : start + 4096], distance + 1)
        left = np.repeat(np.arange(len(limits) - 1) + start, np.diff(limits).astype(np.int64))
        found.append(np.column_stack([left, numbers])[left < numbers])
    return np.concatenate(found)


def imagededup_cosine(rows: Rows, threshold: float) -> Pairs:
    """imagededup's matrix of all similarities, as its CNN methods search."""
    search = importlib.import_module("imagededup.handlers.search.retrieval")
    found = np.argwhere(search.get_cosine_similarity(_unit(rows), verbose=False) >= threshold)
    pairs: Pairs = found[found[:, 0] < found[:, 1]]
    return pairs


def bk_tree(packed: Rows, distance: int) -> Pairs:
    """imagededup's BK-tree, asked for each fingerprint in turn."""
    tree = importlib.import_module("imagededup.handlers.search.bktree").BKTree(
        {str(number): bytes(row).hex() for number, row in enumerate(packed)},
        lambda one, two: (int(one, 16) ^ int(two, 16)).bit_count(),
    )
    found = [
        (number, int(other))
        for number, row in enumerate(packed)
        for other, _ in tree.search(bytes(row).hex(), distance)
        if number < int(other)
    ]
    return np.array(found).reshape(-1, 2)


VECTOR_TOOLS: dict[str, Callable[[Rows, float], Pairs]] = {
    "this matcher": ours,
    "plain product, half of it": plain,
    "chunks and torch.where, all of it": seed,
    "faiss IndexFlatIP.range_search": faiss_flat,
    "imagededup, cosine": imagededup_cosine,
}
BIT_TOOLS: dict[str, Callable[[Rows, int], Pairs]] = {
    "this matcher": bits_ours,
    "faiss IndexBinaryFlat.range_search": bits_faiss,
    "imagededup, BK-tree": bk_tree,
}
# What needs a number for each pair, or minutes for a thousand rows, is not asked for more rows than these.
MOST_ROWS = {"imagededup, cosine": 20_000, "imagededup, BK-tree": 3000}


# Beyond 10,000 rows its matrix is of float16: a few pairs too many.
ROUGH = {"imagededup, cosine": 0.02}


def main(words: list[str] | None = None) -> int:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="?", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, help="of the embeddings the first so many; bits of fingerprints (64)")
    parser.add_argument("--threshold", type=float, help="cosine (0.9); of fingerprints: differing bits (6)")
    parser.add_argument("--fingerprints", action="store_true", help="bits, --dim of them, instead of vectors")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", help="a tool's name as in the table; repeatable")
    parser.add_argument("--quick", action="store_true", help="2,000 rows")
    options = parser.parse_args(words)
    options.dim = options.dim or (64 if options.fingerprints else None)
    if options.threshold is None:
        options.threshold = 6 if options.fingerprints else 0.9
    count = 2000 if options.quick else options.rows
    if options.fingerprints:
        data = fingerprints(count, options.dim, int(options.threshold), options.seed)
        tools, limit = BIT_TOOLS, int(options.threshold)
    else:
        data = real_like(embeddings(options.pictures)[:, : options.dim], count, options.seed)
        tools, limit = VECTOR_TOOLS, options.threshold
    chosen = {name: tool for name, tool in tools.items() if not options.only or name in options.only}
    kind = f"{options.dim}-bit fingerprints" if options.fingerprints else f"vectors of {data.shape[1]} numbers"
    print(
        f"{count:,} {kind}, threshold {limit:g}, {os.cpu_count()} cores, {platform.processor() or platform.machine()}"
    )
    print(f"Python {platform.python_version()}, numpy {np.__version__}")
    if not options.fingerprints:
        print(f"Vectors: {STATED}.")
    check = check_bits if options.fingerprints else check_vectors
    rows = timed(chosen, data, limit, check)
    print()
    print(table(["tool", "seconds", "against this matcher", "pairs"], rows))
    return 0


def fingerprints(count: int, bits: int, distance: int, seed: int) -> Rows:
    """(count, bits / 8) uint8: random, one in ten a copy of another with up to ``distance`` + 2 bits changed."""
    chance = np.random.default_rng(seed)
    packed = chance.integers(0, 256, (count, bits // 8), dtype=np.uint8)
    copies = chance.choice(count, count // 10, replace=False)
    packed[copies] = packed[chance.integers(0, count, len(copies))]
    for _ in range(distance + 2):
        some = copies[chance.random(len(copies)) < 0.5]
        at = chance.integers(0, bits, len(some))
        packed[some, at // 8] ^= np.left_shift(1, at % 8).astype(np.uint8)
    return packed


def timed(tools: dict[str, Any], data: Rows, limit: Any, check: Callable[[Any, Rows, Any], None]) -> list[list[str]]:
    """One row for each tool; raises AssertionError when pair sets differ."""
    rows: list[list[str]] = []
    first_seconds, first_count = 0.0, -1
    for name, tool in tools.items():
        if len(data) > (most := MOST_ROWS.get(name, len(data))):
            rows.append([name, f"not asked for more than {most:,} rows", "", ""])
            continue
        try:
            check(tool, data[:CHECKED], limit)
            started = time.perf_counter()
            pairs = tool(data, limit)
        except (ImportError, RuntimeError) as problem:  # not installed, or its torchvision does not fit its torch
            rows.append([name, f"cannot be imported ({getattr(problem, 'name', '') or problem})", "", ""])
            continue
        seconds = time.perf_counter() - started
        if not rows:
            first_seconds, first_count = seconds, len(pairs)
        # On all rows only the numbers: of pairs within rounding of the threshold float32 may keep some more or fewer.
        most = ROUGH.get(name, 1e-4) * first_count + 2
        assert abs(len(pairs) - first_count) <= most, f"{name}: {len(pairs):,} pairs"
        rows.append([name, f"{seconds:.1f}", f"{seconds / first_seconds:.1f} x", f"{len(pairs):,}"])
    return rows


def check_vectors(tool: Any, rows: Rows, threshold: float) -> None:
    """Compare a tool's pairs with brute force in float64."""
    pairs = {tuple(pair) for pair in tool(rows, threshold).tolist()}
    unit = rows.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    products = unit @ unit.T
    sure, possible = (
        {tuple(pair) for pair in np.argwhere(np.triu(products >= bound, 1)).tolist()}
        for bound in (threshold + CLOSE, threshold - CLOSE)
    )
    assert sure <= pairs <= possible, f"{tool.__doc__}: not the pairs of brute force"


def check_bits(tool: Any, packed: Rows, distance: int) -> None:
    """Compare a tool's pairs with brute force."""
    pairs = {tuple(pair) for pair in tool(packed, distance).tolist()}
    bits = np.unpackbits(packed, axis=1).astype(np.float32)
    products = (2 * bits - 1) @ (2 * bits - 1).T
    exact = {tuple(pair) for pair in np.argwhere(np.triu(products >= bits.shape[1] - 2 * distance, 1)).tolist()}
    assert pairs == exact, f"{tool.__doc__}: not the pairs of brute force"


def _unit(rows: Rows) -> Rows:
    wide = rows.astype(np.float32)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    return wide


if __name__ == "__main__":
    sys.exit(main())
