"""How well the product finds copies, what it would delete wrongly, and how other tools do on the same pictures.

    pip install -r bench/requirements.txt
    python bench/accuracy.py PICTURES [--photos N] [--seed S] [--scratch DIR] [--results FILE] [--product-only]

PICTURES is a folder with a manifest.csv of the columns path, label and group: ``distinct`` photos, copies
that are the ``same`` within their group, and look-alikes that are no copies (``burst``, ``variant``,
``not_dup``); other labels are left out. Or it is a folder of photos, all different, without a manifest.
N of the photos are edited (``edits.py``). Everything is put into one scratch folder, and every tool looks for
duplicates there; nothing is deleted. The scores go to standard output and to FILE as Markdown.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import os
import platform
import re
import shlex
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from contradictions import contradictory
from edits import photos_of, write_edits
from others import HASH_TOOLS, SEED, Tool, connected_sets
from scoring import (
    ALL_BUT_LARGEST,
    BEST,
    DEFAULT,
    DISTINCT,
    EDIT,
    LARGEST,
    LOOK_ALIKES,
    ORIGINAL,
    SAME,
    Result,
    Truth,
    judge_deletion,
    judge_grouping,
    marked,
    sets_of,
)
from tables import Run, document

from dedup import workflow
from dedup.keep import rule_for
from dedup.progress import silent
from dedup.settings import Settings
from dedup.workflow import FindOptions

HERE = Path(__file__).resolve().parent
T = TypeVar("T")
# These edits of a photo also show the next photo of the list.
SHOW_TWO = ("collage", "picture in picture")


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds of wall time, and of CPU time in this process and the processes it waited for."""

    wall: float
    cpu: float

    def __add__(self, other: Timed) -> Timed:
        return Timed(self.wall + other.wall, self.cpu + other.cpu)


def timed(what: Callable[[], T]) -> tuple[T, Timed]:
    """What comes back, and how long it took."""
    wall, cpu = time.perf_counter(), sum(os.times()[:4])
    result = what()
    return result, Timed(time.perf_counter() - wall, sum(os.times()[:4]) - cpu)


def say(text: str) -> None:
    """One line on standard error about what comes next."""
    print(text, file=sys.stderr, flush=True)


def labelled_rows(pictures: Path) -> list[dict[str, str]]:
    """The rows of a folder's manifest that are scored; none where there is no manifest."""
    manifest = pictures / "manifest.csv"
    if not manifest.is_file():
        return []
    with manifest.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["label"] in (DISTINCT, SAME, *LOOK_ALIKES)]


def prepare(
    pictures: Path, rows: Iterable[Mapping[str, str]], photos: Sequence[Path], root: Path, seed: int
) -> list[Truth]:
    """Fill the folder ``root`` with the photos, their edits and the pictures of the rows; the truth about each."""
    # A photo that was edited stands among its edits already.
    labelled = [row for row in rows if pictures / row["path"] not in photos]
    for row in labelled:
        _place(pictures / row["path"], root / "labelled" / row["path"])
    truths = [*_edited(photos, root, seed), *map(_truth, labelled)]
    return sorted(truths, key=lambda truth: truth.path)


def _edited(photos: Sequence[Path], root: Path, seed: int) -> Iterator[Truth]:
    rows = write_edits(photos, root / "edits", seed=seed)
    for row in rows:
        shown = [int(row["group"])]
        if row["kind"] in SHOW_TWO:
            shown.append((shown[0] + 1) % len(photos))
        families = frozenset(f"photo {number}" for number in shown)
        label = ORIGINAL if row["label"] == DISTINCT else EDIT
        yield Truth(f"edits/{row['path']}", families, label, row["kind"], row["tier"])


def _truth(row: Mapping[str, str]) -> Truth:
    """What the manifest says about a picture: only the copies of a group share a family."""
    family = f"group {row['group']}" if row["label"] == SAME and row["group"] else row["path"]
    return Truth(f"labelled/{Path(row['path']).as_posix()}", frozenset([family]), row["label"])


def _place(source: Path, target: Path) -> None:
    """Link a file to a place in the scratch folder, or copy it where links cannot be."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copy2(source, target)


def measure_product(root: Path, truths: Sequence[Truth]) -> tuple[Result, Timed, int]:
    """The product's result at its defaults, the time of its indexing alone, and how many files it could not read."""
    importlib.import_module("torch")  # here, so that the clock does not count it
    indexed, indexing = timed(lambda: workflow.index(root, Settings(), silent))
    found, finding = timed(lambda: workflow.find([root], FindOptions(), silent))
    sets = sets_of(found.groups)
    deletions = {DEFAULT: judge_deletion(truths, marked(sets))}
    for name, rule in ((LARGEST, "largest"), (BEST, "best")):
        options = FindOptions(mark="edited", rule=rule_for(rule, found.folders))
        again = workflow.find([root], options, silent)
        deletions[name] = judge_deletion(truths, marked(sets_of(again.groups)))
    both = indexing + finding
    settings = f"{found.encoder}, defaults; indexing {indexing.wall:.1f} s of it"
    result = Result("this finder", settings, judge_grouping(truths, sets), deletions, both.wall, both.cpu)
    return result, indexing, len(indexed.unreadable)


def measure_tool(tool: Tool, root: Path, truths: Sequence[Truth], before: Timed) -> Result:
    """Another tool's result; ``before`` is the time of what it builds upon."""
    say(f"{tool.name} ...")
    paths = [truth.path for truth in truths]
    sizes = {path: (root / path).stat().st_size for path in paths}
    sets, taken = timed(lambda: connected_sets(tool.pairs(root, paths), sizes))
    whole = before + taken
    deletions = {ALL_BUT_LARGEST: judge_deletion(truths, marked(sets))}
    return Result(tool.name, tool.settings, judge_grouping(truths, sets), deletions, whole.wall, whole.cpu)


def measured(pictures: Path, root: Path, photos: Sequence[Path], seed: int, tools: Sequence[Tool]) -> Run:
    """Everything in one run."""
    rows = labelled_rows(pictures)
    left_out = contradictory(pictures, rows)
    say(f"Editing {len(photos)} photos ...")
    truths = prepare(pictures, [row for row in rows if row["path"] not in left_out], photos, root, seed)
    say(f"This finder on {len(truths):,} pictures ...")
    product, indexing, unreadable = measure_product(root, truths)
    others = [measure_tool(tool, root, truths, indexing if tool is SEED else Timed(0, 0)) for tool in tools]
    labels = Counter(truth.label for truth in truths)
    facts = [
        f"{len(truths):,} pictures: " + ", ".join(f"{count:,} {label}" for label, count in labels.most_common()),
        f"{len(photos)} photos edited, at most 1,024 pixels on their longer side; seed {seed}",
        f"{unreadable} pictures could not be read by this finder",
        f"{os.cpu_count()} processor cores",
    ]
    command = f"python bench/accuracy.py {shlex.quote(pictures.name)} --photos {len(photos)} --seed {seed}"
    return Run(command, facts, [product, *others], versions(), sorted(left_out))


def versions() -> dict[str, str]:
    """The versions of Python and of all packages that the requirements name."""
    found = {"Python": platform.python_version()}
    for file in (HERE.parent / "requirements.txt", HERE / "requirements.txt"):
        for line in file.read_text(encoding="utf-8").splitlines():
            name = re.match(r"[A-Za-z0-9][\w.-]*", line)
            if name:
                try:
                    found[name[0]] = version(name[0])
                except PackageNotFoundError:
                    found[name[0]] = "not installed"
    return found


@contextmanager
def scratch_folder(wanted: Path | None) -> Iterator[Path]:
    """The folder asked for, made where it is missing; else one that is removed at the end."""
    if wanted is None:
        with tempfile.TemporaryDirectory(prefix="dedup-accuracy-") as name:
            yield Path(name).resolve()
    else:
        wanted.mkdir(parents=True, exist_ok=True)
        yield wanted.resolve()


def understood(parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, list[Path], list[Tool]]:
    """The arguments, the photos to edit and the other tools; ends the program where something is missing."""
    parser.add_argument("pictures", type=Path, metavar="PICTURES")
    parser.add_argument("--photos", type=int, default=100, metavar="N", help="how many photos to edit (default: 100)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of the edits (default: 1)")
    parser.add_argument(
        "--scratch", type=Path, metavar="DIR", help="an empty folder that is kept; it takes 10 MB for each photo"
    )
    parser.add_argument("--results", type=Path, default=HERE / "RESULTS.md", metavar="FILE")
    parser.add_argument("--product-only", action="store_true", help="leave out the other tools")
    arguments = parser.parse_args()
    if arguments.scratch and arguments.scratch.exists() and any(arguments.scratch.iterdir()):
        parser.error(f"{arguments.scratch} is not empty")
    arguments.pictures = arguments.pictures.resolve()
    if arguments.photos < 1 or not arguments.results.resolve().parent.is_dir():
        parser.error("--photos must be 1 or more, and --results lie in a folder that exists")
    photos = photos_of(arguments.pictures, arguments.photos) if arguments.pictures.is_dir() else []
    if not photos:
        parser.error(f"{arguments.pictures} holds no photos to edit; see the top of this file for what it must hold")
    tools = [] if arguments.product_only else [*HASH_TOOLS, SEED]
    for tool in tools:
        try:
            # Loaded here, so that no tool's clock counts it.
            importlib.import_module(tool.module)
        except (ImportError, RuntimeError) as problem:  # the latter where torch and torchvision do not fit
            parser.error(f"{tool.name} cannot be loaded: {problem}. See bench/requirements.txt, or use --product-only")
    return arguments, photos, tools


def main() -> None:
    """Measure, print, write."""
    arguments, photos, tools = understood(argparse.ArgumentParser(description=__doc__.splitlines()[0]))
    with scratch_folder(arguments.scratch) as root:
        run = measured(arguments.pictures, root, photos, arguments.seed, tools)
    text = document(run)
    print(text)
    arguments.results.write_text(_before(arguments.results, text) + text, encoding="utf-8")


def _before(results: Path, text: str) -> str:
    """What stands in the file before these tables: those of the other benchmarks."""
    old = results.read_text(encoding="utf-8") if results.is_file() else ""
    return old.partition(text.partition("\n")[0] + "\n")[0]


if __name__ == "__main__":
    main()
