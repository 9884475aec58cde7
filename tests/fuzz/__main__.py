"""Damage sound files for some minutes and keep what is a finding: ``python -m tests.fuzz --minutes 10 --seed 1``."""

from __future__ import annotations

import argparse
import hashlib
import random
import time
from collections import Counter
from pathlib import Path

from .mutations import damaged
from .seeds import SEEDS, chosen
from .watch import Watched


def main() -> int:
    """Fuzz, print what was found; 1 where there is a finding."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="write what is a finding into this folder")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    seeds = {name: make() for name, make in SEEDS.items()}
    fed: Counter[str] = Counter()
    findings: dict[str, int] = {}
    end = time.monotonic() + 60 * options.minutes
    with Watched() as worker:
        while time.monotonic() < end:
            target, sound, other = chosen(chance, seeds)
            data = damaged(sound, other, chance)
            fed[target] += 1
            if trouble := worker.feed(target, data):
                told = f"{target}: {trouble.strip().splitlines()[-1]}"
                findings[told] = findings.get(told, 0) + 1
                if findings[told] == 1:
                    _tell(told, trouble, data, options.keep)
    print(", ".join(f"{count:,} {name}" for name, count in fed.most_common()), "fed")
    for told, count in findings.items():
        print(f"{count:>6} x {told}")
    return 1 if findings else 0


def _tell(told: str, trouble: str, data: bytes, keep: Path | None) -> None:
    print(f"FINDING {told} ({len(data)} bytes)\n{trouble}", flush=True)
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{told.partition(':')[0]}-{hashlib.sha256(data).hexdigest()[:12]}").write_bytes(data)


if __name__ == "__main__":
    raise SystemExit(main())
