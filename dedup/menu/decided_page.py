"""What was decided in earlier reviews, listed; and taken back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dedup.console import choose, say
from dedup.jobs import decided
from dedup.workflow import NOT_DUPLICATES, REVIEWED

LISTED = 30


def show_decided(folders: Sequence[Path]) -> None:
    """List the decisions and ask which to take back; Ctrl-C takes back none."""
    rows = decided.numbered(folders)
    decided.show(rows)
    if not rows:
        return
    # The latest are the ones a person may regret.
    choices = [
        (f"Take back {number}: {decided.title(row)}: {decided.names(row)}", [number])
        for number, row in sorted(rows, key=lambda one: one[1].what.decided_at, reverse=True)[:LISTED]
    ]
    for kind, words in ((NOT_DUPLICATES, 'all "not duplicates" verdicts'), (REVIEWED, "all decisions of reviews")):
        if those := [number for number, row in rows if row.kind == kind]:
            choices.append((f"Take back {words} ({len(those):,})", those))
    nothing: list[int] = []
    if wanted := choose("Decisions (Ctrl-C: back)", [("Leave all as they are", nothing), *choices]):
        decided.take_back(rows, wanted)
    else:
        say("Nothing was changed.")
