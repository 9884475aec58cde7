"""Searching a folder for one picture: ``search`` from start to end, and beside it imagehash in a plain loop.

    pip install -r bench/requirements.txt
    python bench/searching.py PICTURES [--pictures N] [--size small] [--quick]

PICTURES is a folder of photos; N of them, cut ever closer where there are fewer, are saved as JPEG in a temporary
folder. Each way is a process of its own, its start included: ``search`` without a database and with one, imagehash's
dhash in a loop over the files, and the same in a process for each core. All print the same lines; how many of the
distances differ, and by how much, is printed beside the times.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hashing import MEGAPIXELS, make_folder

PROJECT = Path(__file__).resolve().parents[1]
DETECTOR = str(PROJECT / "detector.py")
PLAIN = """
import os, sys
import imagehash
from PIL import Image
reference = imagehash.dhash(Image.open(sys.argv[1]))
for name in sorted(os.listdir(sys.argv[2])):
    path = os.path.join(sys.argv[2], name)
    if not name.endswith(".jpg"):
        continue
    with Image.open(path) as image:
        print(imagehash.dhash(image) - reference, path)
"""
SPREAD = """
import os, sys
from multiprocessing import Pool
import imagehash
from PIL import Image
def dhash(path):
    with Image.open(path) as image:
        return imagehash.dhash(image)
reference = dhash(sys.argv[1])
paths = [os.path.join(sys.argv[2], name) for name in sorted(os.listdir(sys.argv[2])) if name.endswith(".jpg")]
with Pool() as pool:
    for path, found in zip(paths, pool.imap(dhash, paths, 32)):
        print(found - reference, path)
"""


def timed(words: Sequence[str], home: str) -> tuple[float, float, list[str]]:
    """(seconds, seconds of all processors, lines printed) of a process and its own."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "DEDUP_HOME": home},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, cpu, done.stdout.splitlines()


def main() -> None:
    """Make the folder, time each way, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--pictures", dest="count", type=int, default=5000)
    parser.add_argument("--size", choices=MEGAPIXELS, default="small")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    count = 100 if given.quick else given.count
    with tempfile.TemporaryDirectory() as place:
        folder = make_folder(given.pictures, given.size, "jpeg", count, Path(place))
        needle = str(folder / "00000.jpg")
        search = [DETECTOR, "search", needle, str(folder), "--format", "text"]
        rows = {
            "search": timed(search, place),
            "imagehash, a plain loop": timed(["-c", PLAIN, needle, str(folder)], place),
            "imagehash, a process for each core": timed(["-c", SPREAD, needle, str(folder)], place),
        }
        timed([DETECTOR, "index", str(folder), "--encoder", "dhash"], place)
        rows["search, with a database"] = timed(search, place)
    plain = rows["imagehash, a plain loop"]
    print(f"{count:,} JPEGs of {MEGAPIXELS[given.size]:g} megapixels, {os.cpu_count()} cores\n")
    print("| | seconds | CPU seconds | the plain loop takes |\n| --- | ---: | ---: | ---: |")
    for name, (seconds, cpu, _) in rows.items():
        print(f"| {name} | {seconds:.1f} | {cpu:.1f} | {plain[0] / seconds:.2f} x |")
    ours, theirs = (
        np.array([int(line.split()[0]) for line in rows[way][2]]) for way in ("search", "imagehash, a plain loop")
    )
    apart = np.abs(ours - theirs)
    differ = f"{np.mean(apart > 0):.1%}, by {apart.mean():.2f} bits on average and {apart.max()} at most"
    print(f"\nDistances that differ from imagehash's: {differ}.")


if __name__ == "__main__":
    main()
