"""How long a person waits: for the menu's first prompt, and for the first of many sets in the review window.

    xvfb-run python bench/reviewer.py PICTURES [--sets N] [--quick]

PICTURES is a folder of photos. Each set is of two files, hard links of copies of the photos, so that what is shown is
read and decoded as usual. The window needs a display, if only a virtual one. The menu is started in a terminal
of its own three times, the fastest start counts.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tables import table

from dedup.keep import Group, KeepRule, Match, Member
from dedup.scan import list_pictures
from dedup.store import Picture
from dedup.tiers import SAME_PICTURE
from dedup.workflow import Found

DETECTOR = Path(__file__).resolve().parents[1] / "detector.py"
PROMPT = "Folder with your pictures"
DIFFERENT = 40


def pictures(photos: Path, folder: Path, count: int) -> Iterator[Picture]:
    """Hard links of copies of some photos, in turn."""
    found = list_pictures(photos).files[:DIFFERENT]
    for number in range(count):
        name = f"{number:06}{Path(found[number % len(found)].path).suffix}"
        if number < len(found):
            shutil.copyfile(photos / found[number].path, folder / name)
        else:
            os.link(folder / f"{number % len(found):06}{Path(name).suffix}", folder / name)
        status = (folder / name).stat()
        yield Picture(folder, name, status.st_size, 1, 4000, 3000, "JPEG", number.to_bytes(32, "big"))


def first_set(photos: Path, sets: int) -> float:
    """Seconds from the groups, all but the last decided before, to the one on the screen with which it continues."""
    import matplotlib

    matplotlib.use("TkAgg")
    from matplotlib import pyplot

    with tempfile.TemporaryDirectory() as scratch:
        rows = list(pictures(photos, Path(scratch), 2 * sets))
        groups = [
            Group(one, (Member(two, 0.97, SAME_PICTURE),)) for one, two in zip(rows[::2], rows[1::2], strict=True)
        ]
        found = Found(
            "bench",
            0.96,
            [Path(scratch)],
            len(rows),
            [],
            groups,
            KeepRule(),
            lambda one, two: Match(0, 0.97, SAME_PICTURE),
        )
        from dedup.review.memory import Memory
        from dedup.review.session import ReviewSession
        from dedup.review.window import ReviewWindow

        # All but the last set were decided before.
        earlier = ReviewSession(found, Memory(found))
        for one in earlier.sets[:-1]:
            one.see()
        earlier.save()
        started = time.perf_counter()
        session = ReviewSession(found, Memory(found))
        assert session.seen == sets - 1
        window = ReviewWindow(pyplot.figure(figsize=(13, 8.2)), session)
        window.draw()
        pyplot.show(block=False)
        window.figure.canvas.get_tk_widget().update()  # type: ignore[attr-defined]
        seconds = time.perf_counter() - started
        window.close()
        pyplot.close(window.figure)
    return seconds


def first_prompt() -> float:
    """Seconds from the start of ``python detector.py`` to its first question."""
    import pexpect

    started = time.perf_counter()
    child = pexpect.spawn(sys.executable, [str(DETECTOR)], encoding="utf-8", timeout=60)
    child.expect(PROMPT)
    seconds = time.perf_counter() - started
    child.close(force=True)
    return seconds


def main(words: list[str] | None = None) -> int:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, metavar="PICTURES")
    parser.add_argument("--sets", type=int, default=10_000)
    parser.add_argument("--quick", action="store_true", help="500 sets")
    options = parser.parse_args(words)
    sets = 500 if options.quick else options.sets
    if not (os.environ.get("DISPLAY") or sys.platform in ("darwin", "win32")):
        print("There is no display for the review window: put `xvfb-run -a` before the command.")
        return 1
    rows = [
        ["the menu's first prompt", f"{min(first_prompt() for _ in range(3)):.2f}"],
        [f"the first of {sets:,} sets in the review window", f"{first_set(options.photos, sets):.2f}"],
    ]
    print(table(["", "seconds"], rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
