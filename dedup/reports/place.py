"""Where a report may be written: to a new file, or over a report of ours; never over a picture."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Sequence
from pathlib import Path

from dedup.errors import DedupError

PROGRAM = "duplicate picture finder"
ENDINGS = (".html", ".csv", ".json", ".png")
COLUMNS = ("set", "role", "path", "bytes", "width", "height", "tier", "similarity", "bits", "remark")
# Stands at the beginning of every page, by which one of ours is known.
PAGE_MARK = f'<!doctype html>\n<meta name="generator" content="{PROGRAM}">'
_PNG = b"\x89PNG\r\n\x1a\n"


def require_place(
    path: Path, folders: Sequence[Path], *, force: bool = False, endings: Sequence[str] = ENDINGS
) -> None:
    """Raise DedupError where a report must not be written; asked before the work, so that no work is lost."""
    suffix = path.suffix.lower()
    if suffix not in endings:
        raise DedupError(
            f"No report can be told from the ending of {path.name}.", f"Let the name end in {', '.join(endings)}."
        )
    if not path.absolute().parent.is_dir():
        raise DedupError(f"There is no folder {path.absolute().parent}.", "Make it, or choose another place.")
    inside = any(path.absolute().parent.resolve().is_relative_to(folder) for folder in folders)
    if suffix == ".png" and inside:
        raise DedupError(
            f"{path} would lie among the pictures, and be taken for one of them.", "Choose a place outside the folder."
        )
    if not os.path.lexists(path) or is_ours(path):
        return
    if path.is_symlink() or not path.is_file() or not force or inside:
        remedy = "Choose another name." if force or inside else "Choose another name, or add --force."
        raise DedupError(f"{path} is there already, and is no report of this tool.", remedy)


def is_ours(path: Path) -> bool:
    """Whether a file is a report that this tool wrote."""
    try:
        if path.is_symlink() or not path.is_file():
            return False
        with path.open("rb") as file:
            start = file.read(4096)
    except OSError:
        return False
    match path.suffix.lower():
        case ".html":
            return start.startswith(PAGE_MARK.encode())
        case ".csv":
            first = start.decode("utf-8-sig", "replace").split("\n")[0].strip()
            return next(csv.reader([first]), [])[: len(COLUMNS)] == list(COLUMNS)
        case ".png":
            return start.startswith(_PNG) and b"tEXtSoftware\0" + PROGRAM.encode() in start
        case _:
            return _is_our_json(path)


def _is_our_json(path: Path) -> bool:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(value, dict) and {"encoder", "threshold", "folders", "groups", "skipped"} <= value.keys()
