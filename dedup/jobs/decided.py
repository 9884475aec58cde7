"""Verdicts and review decisions for the menu and the command line: listed, exported, imported, taken back."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dedup import console, workflow
from dedup.console import say
from dedup.errors import DedupError, command
from dedup.jobs import DONE
from dedup.store import KEEPER, REMOVED, STAYS
from dedup.wording import files, printable, when
from dedup.workflow import NOT_DUPLICATES, Decided

GONE = "content no longer here"
ROLES = {KEEPER: "keeper  ", STAYS: "stays   ", REMOVED: "remove  "}
Numbered = list[tuple[int, Decided]]


def numbered(folders: Sequence[str | Path], only: str = "") -> Numbered:
    """Everything decided in these folders, or one kind of it; the numbers are those of the whole list."""
    rows = enumerate(workflow.list_decided(folders), 1)
    return [(number, row) for number, row in rows if only in ("", row.kind)]


def show(rows: Numbered) -> None:
    """Print what was decided, set by set."""
    for number, row in rows:
        kept = ", ".join(printable(folder) for folder in row.folders)
        say(f"{number:>4}  {title(row)}   (kept in {kept})")
        for text, role in _lines(row):
            say(f"      {role}{text}")
    say(summary(rows))


def title(row: Decided) -> str:
    """What was decided about a set, and when, in a few words."""
    return f"{row.kind}, {when(row.what.decided_at)}, {files(len(row.files))}"


def names(row: Decided) -> str:
    """The names of the first files of a set that are still here."""
    found = [printable(path.name) for paths in row.found.values() for path in paths]
    return ", ".join(found[:3]) + (" ..." if len(found) > 3 else "") if found else GONE


def summary(rows: Numbered) -> str:
    """One line: how many of each kind."""
    if not rows:
        return "Nothing has been decided here yet."
    verdicts = sum(row.kind == NOT_DUPLICATES for _, row in rows)
    return f'{verdicts:,} called "not duplicates", {len(rows) - verdicts:,} decided in a review and not carried out.'


def as_json(rows: Numbered) -> list[dict[str, Any]]:
    """What ``verdicts --json`` prints."""
    return [
        {
            "number": number,
            "kind": row.kind,
            "decided_at": row.what.decided_at,
            "folders": [os.fspath(folder) for folder in row.folders],
            "files": [
                {"digest": digest.hex(), "role": role, "paths": [os.fspath(path) for path in row.found[digest]]}
                for digest, role in row.files
            ],
        }
        for number, row in rows
    ]


def take_back(rows: Numbered, wanted: Sequence[int]) -> int:
    """Take back the decisions with these numbers; raises DedupError where there is no such number."""
    known = dict(rows)
    if missing := sorted({number for number in wanted if number not in known}):
        raise DedupError(
            f"There is no decision with the number {', '.join(map(str, missing))}; nothing was taken back.",
            "List them: " + command("verdicts", "FOLDER"),
        )
    chosen = [(number, known[number]) for number in dict.fromkeys(wanted)]
    workflow.take_back(row for _, row in chosen)
    for number, row in chosen[:20]:
        say(f"Taken back: {number}  {title(row)}: {names(row)}")
    if len(chosen) > 20:
        say(f"... and {len(chosen) - 20:,} more")
    say("These sets come up again as they are proposed.")
    return DONE


def take_all_back(rows: Numbered, *, assume_yes: bool) -> int:
    """Take back everything in the list, after asking."""
    if not rows:
        say(summary(rows))
        return DONE
    if not assume_yes:
        if not console.is_terminal():
            raise DedupError("Taking all back needs a confirmation, and there is no terminal to ask.", "Add --yes.")
        if not console.confirm(f"Take back {len(rows):,} decisions? No file is touched."):
            say("Nothing was changed.")
            return DONE
    return take_back(rows, [number for number, _ in rows])


def export(rows: Numbered, path: Path) -> int:
    """Write the decisions to a file."""
    count = workflow.export_decided((row for _, row in rows), path)
    say(f"{count:,} decisions written to {printable(path)}.")
    return DONE


def take_in(path: Path, folders: Sequence[str | Path]) -> int:
    """Keep the decisions of a file in these folders."""
    for root, done in workflow.import_decided(workflow.read_decided(path), folders).items():
        say(
            f"{printable(root)}: {done.verdicts:,} verdicts and {done.decisions:,} review decisions imported; "
            f"{done.known:,} known already."
        )
    return DONE


def _lines(row: Decided) -> list[tuple[str, str]]:
    """(where it is now, what becomes of it) of each file of a set; identical files are told by their places."""
    left: dict[bytes, list[Path]] = defaultdict(list, {digest: list(paths) for digest, paths in row.found.items()})
    at_home = [
        place if place in left[digest] else None for (digest, _), place in zip(row.files, row.places, strict=True)
    ]
    for (digest, _), place in zip(row.files, at_home, strict=True):
        if place is not None:
            left[digest].remove(place)
    lines = []
    for (digest, role), place in zip(row.files, at_home, strict=True):
        now = place or (left[digest].pop(0) if left[digest] else None)
        text = printable(now) if now is not None else f"{GONE} ({digest.hex()[:12]}...)"
        lines.append((text, ROLES.get(role, "")))
    return lines
