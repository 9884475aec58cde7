"""What all jobs share: run one with its progress shown, say what was left out, turn the end into an exit code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from dedup import console
from dedup.console import TerminalReport, note, say, working
from dedup.errors import DedupError
from dedup.progress import Cancelled, Skipped
from dedup.trash import Outcome
from dedup.wording import (
    files,
    printable,
    size,
    skipped_lines,
)

DONE, ERROR, USAGE, PARTLY, INTERRUPTED = 0, 1, 2, 3, 130
LISTED = 20
Value = TypeVar("Value")


def attempt(job: Callable[[TerminalReport], Value]) -> Value | None:
    """What the job returns, or None when Ctrl-C stopped it; everything done so far is kept."""
    with working() as report:
        try:
            return job(report)
        except Cancelled:
            note("Stopped. What was done is kept; the next run goes on from there.")
            return None


def for_each(folders: Sequence[str | Path], job: Callable[[str | Path], int]) -> int:
    """Do a job for each folder; trouble with one does not keep the others from theirs, Ctrl-C does."""
    codes = []
    for folder in folders:
        try:
            codes.append(job(folder))
        except DedupError as problem:
            if len(folders) == 1:
                raise
            console.explain(problem)
            codes.append(PARTLY)
        if codes[-1] == INTERRUPTED:
            break
    return max(codes, default=DONE)


def list_skipped(skipped: Sequence[Skipped], heading: str = "could not be read") -> None:
    """Every file left out, with its reason."""
    if skipped:
        say(f"{files(len(skipped))} {heading}:")
        for line in skipped_lines(list(skipped)):
            say(line)


def by_folder(outcome: Outcome) -> None:
    """One line per folder a run touched."""
    for folder, (count, total) in outcome.moved.items():
        say(f"  {files(count)}, {size(total)}, {printable(folder)}")


def code_of(outcome: Outcome) -> int:
    """The exit code of an outcome."""
    if outcome.interrupted:
        note("Stopped. What was done is kept.")
        return INTERRUPTED
    return PARTLY if outcome.refused or outcome.unwritten else DONE
