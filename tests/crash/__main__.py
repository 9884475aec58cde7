"""``python -m tests.crash --kills 500 --seed 1``: break the jobs off, print what was injected and what was lost."""

from __future__ import annotations

import argparse
import errno
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from .harness import World, kill_everywhere
from .jobs import JOBS
from .runner import Runner

ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS)


def main() -> int:
    """Run the faults and print the table; 1 when anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=500, help="on one volume; half as many with the trash on another")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--errors", type=int, default=200, help="failing steps (disk full, I/O, permission, read-only)")
    parser.add_argument("--signals", type=int, default=60, help="SIGINT, SIGTERM and SIGHUP at random instants")
    chosen = parser.parse_args()
    started = time.monotonic()
    faults: Counter[str] = Counter()
    at_risk = lost = 0
    violations: list[str] = []
    with tempfile.TemporaryDirectory(dir=_memory()) as place, Runner(Path(place, "home")) as runner:
        for other_volume in (False, True):
            world = World(Path(place, "other" if other_volume else "same"), runner, other_volume=other_volume)
            part = 2 if other_volume else 1
            _inject(world, chosen.kills // part, chosen.errors // part, chosen.signals // part, chosen.seed)
            figures = world.figures
            suffix = ", the trash on another volume" if other_volume else ""
            faults.update({kind + suffix: count for kind, count in figures.faults.items()})
            at_risk += figures.files_at_risk
            lost += figures.lost
            violations += figures.violations
    for row in violations:
        print(row)
    for kind, count in faults.items():
        print(f"{kind:<60} {count:>9,}")
    print(f"{'faults injected':<60} {faults.total():>9,}")
    print(f"{'files at risk (files of the tree, counted for each fault)':<60} {at_risk:>9,}")
    print(f"{'violations':<60} {len(violations):>9,}")
    print(f"{'files lost':<60} {lost:>9,}")
    print(f"seed {chosen.seed}, {time.monotonic() - started:.0f} seconds")
    return 1 if violations else 0


def _inject(world: World, kills: int, errors: int, signals: int, seed: int) -> None:
    for number, wrong in enumerate(kill_everywhere(world, kills, seed), 1):
        _say(f"{number} of {kills} kills", wrong)
    chance = random.Random(seed)
    for number in range(errors):
        job = JOBS[number % len(JOBS)]
        step = chance.randint(1, len(world.reference(job).steps))
        wrong = world.fail_at(job, step, ERRORS[number // len(JOBS) % len(ERRORS)], lasting=number % 2 == 1)
        _say(f"{number + 1} of {errors} failing steps", wrong)
    for number in range(signals):
        job = JOBS[number % len(JOBS)]
        after = chance.uniform(0.0, world.reference(job).seconds)
        wrong = world.signal_after(job, after, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)[number % 3])
        _say(f"{number + 1} of {signals} signals", wrong)


def _say(text: str, wrong: list[str]) -> None:
    end = "\r" if sys.stderr.isatty() else "\n"
    if wrong or sys.stderr.isatty():
        print(text, *wrong, file=sys.stderr, end=end, flush=True, sep="\n  ")


def _memory() -> str | None:
    """A folder in memory where there is one: a kill is no power cut, and the disk need not be waited for."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


if __name__ == "__main__":
    sys.exit(main())
