"""Time and memory of a find run by the number of pictures: load, match, group and plan, as a table and a plot.

    python bench/scale.py [PICTURES] [--rows 1000,10000,100000] [--threshold T] [--plot FILE.png] [--quick]

Vectors are made from the embeddings of PICTURES (of drawn pictures without it); ``real_like.py`` says how. They are
written to a database as an index writes them; the pictures' files do not exist, so nothing is verified. Every size runs
in a process of its own, whose peak memory is printed; the matcher's share is the vectors as stored and what is above.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from real_like import STATED, embeddings, real_like
from tables import table

from dedup import trash
from dedup.keep import KeepRule, make_groups
from dedup.neighbours import Neighbours
from dedup.provenance import Provenance
from dedup.store import Catalogue, Indexed

STEPS = ("load", "match", "group", "plan")
AT_ONCE = 10_000
MADE_BY = Provenance("efficientnet-lite0", "bench", "final", 1, 1280)


def write_database(folder: Path, base: np.ndarray[Any, np.dtype[Any]], count: int) -> None:
    """A database of ``count`` pictures, as an index leaves it."""
    with Catalogue(folder, create=True) as store:
        for start in range(0, count, AT_ONCE):
            rows = real_like(base, min(AT_ONCE, count - start), seed=start).astype(np.float32)
            items = [
                Indexed(
                    f"{start + i:08}.jpg",
                    200_000 + i,
                    1,
                    (start + i).to_bytes(32, "big"),
                    800,
                    600,
                    "JPEG",
                    50.0,
                    vectors=(row,),
                )
                for i, row in enumerate(rows)
            ]
            store.save(items, [MADE_BY])


def steps(folder: Path, threshold: float) -> dict[str, float]:
    """Seconds of each step, megabytes of peak memory, and what was found."""
    result: dict[str, float] = {}
    started = time.perf_counter()

    def ended(step: str) -> None:
        nonlocal started
        result[step] = time.perf_counter() - started
        started = time.perf_counter()

    with Catalogue(folder) as store:
        pictures, vectors = store.load(MADE_BY)
    ended("load")
    neighbours = Neighbours(pictures, vectors, [0] * len(pictures), threshold)
    ended("match")
    rule = KeepRule()
    groups = make_groups(pictures, neighbours.candidates(), neighbours.matches_of, rule)
    ended("group")
    marked = ((one.picture, group.keeper, one.similarity, one.tier) for group in groups for one in group.others)
    trash.make_plan("bench", threshold, [folder], marked)
    ended("plan")
    result["peak"] = peak_megabytes()
    result["vectors"] = vectors.rows.nbytes / 1e6
    result["groups"] = len(groups)
    return result


def peak_megabytes() -> float:
    """The most memory this process held. Linux counts that of the process that started it into ru_maxrss."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(words: list[str] | None = None) -> int:
    """Print one row for each number of pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="?", type=Path)
    parser.add_argument("--rows", default="1000,10000,100000")
    parser.add_argument("--threshold", type=float, default=0.9)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--quick", action="store_true", help="1,000 and 4,000 rows")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    if options.child:
        print(json.dumps(steps(options.child, options.threshold)))
        return 0
    counts = [1000, 4000] if options.quick else [int(count) for count in options.rows.split(",")]
    print(f"threshold {options.threshold:g}, {os.cpu_count()} cores, {platform.processor() or platform.machine()}")
    print(f"Python {platform.python_version()}, numpy {np.__version__}. Vectors: {STATED}.\n")
    base = embeddings(options.pictures)
    found = {count: _run(base, count, options.threshold) for count in counts}
    head = ["pictures", *(f"{step} s" for step in STEPS), "peak MB", "vectors MB", "sets"]
    rows = [
        [count, *(f"{one[step]:.2f}" for step in STEPS), *(f"{one[key]:,.0f}" for key in ("peak", "vectors", "groups"))]
        for count, one in found.items()
    ]
    print(table(head, rows))
    if options.plot:
        plot(found, options.plot)
    return 0


def _run(base: np.ndarray[Any, np.dtype[Any]], count: int, threshold: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as scratch:
        write_database(Path(scratch), base, count)
        command = [sys.executable, __file__, "--child", scratch, "--threshold", str(threshold)]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    result: dict[str, float] = json.loads(out)
    return result


def plot(found: dict[int, dict[str, float]], file: Path) -> None:
    """Seconds of each step and megabytes by the number of pictures, both axes logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.5))
    counts = list(found)
    for step in STEPS:
        left.loglog(counts, [max(found[count][step], 1e-4) for count in counts], marker="o", label=step)
    left.set_ylabel("seconds")
    left.legend()
    for key, label in (("peak", "peak memory"), ("vectors", "vectors as stored")):
        right.loglog(counts, [found[count][key] for count in counts], marker="o", label=label)
    right.set_ylabel("MB")
    right.legend()
    for axes in (left, right):
        axes.set_xlabel("pictures")
        axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(file, dpi=120)


if __name__ == "__main__":
    sys.exit(main())
