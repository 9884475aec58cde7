"""A plan: what would be removed, and why; each removal names its keeper, similarity and digests."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dedup.errors import DedupError
from dedup.store import Picture

PLAN_VERSION = 1


@dataclass(frozen=True, slots=True)
class FileStamp:
    """A file as it was when it was indexed: absolute path, bytes, mtime_ns, SHA-256 in hex."""

    path: str
    size: int
    mtime_ns: int
    digest: str


@dataclass(frozen=True, slots=True)
class Removal:
    """One file to be removed from ``folder``, and the kept picture it is a copy of."""

    folder: str
    file: FileStamp
    keeper: FileStamp
    similarity: float
    tier: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be removed, and why; nothing that lies in a ``protected`` folder ever is."""

    encoder: str
    threshold: float
    folders: tuple[str, ...]
    removals: tuple[Removal, ...]
    created: str = ""
    protected: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """How many bytes the removals take up."""
        return sum(removal.file.size for removal in self.removals)

    def by_folder(self) -> dict[str, list[Removal]]:
        """The removals of each folder, in the plan's order."""
        grouped: dict[str, list[Removal]] = {}
        for removal in self.removals:
            grouped.setdefault(removal.folder, []).append(removal)
        return grouped


def stamp(picture: Picture) -> FileStamp:
    """A picture's path and what identifies its bytes."""
    return FileStamp(os.fspath(picture.full_path), picture.size, picture.mtime_ns, picture.digest.hex())


def make_plan(
    encoder: str,
    threshold: float,
    folders: Sequence[Path],
    removals: Iterable[tuple[Picture, Picture, float, str]],
    protected: Sequence[Path] = (),
) -> Plan:
    """A plan from (removed, keeper, similarity, tier); a file named twice is removed once."""
    rows: dict[str, Removal] = {}
    for removed, keeper, similarity, tier in removals:
        row = Removal(os.fspath(removed.root), stamp(removed), stamp(keeper), similarity, tier)
        rows.setdefault(row.file.path, row)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    roots, kept = (tuple(os.fspath(folder) for folder in part) for part in (folders, protected))
    return Plan(encoder, threshold, roots, tuple(rows.values()), created, kept)


def save_plan(plan: Plan, path: Path) -> None:
    """Write the plan as JSON; never over a file that is not a plan."""
    if os.path.lexists(path):
        if not path.is_file():
            raise DedupError(f"{path} is not a regular file.", "Choose another file for the plan.")
        load_plan(path)
    try:
        path.write_text(json.dumps({"plan": PLAN_VERSION, **asdict(plan)}, indent=1), encoding="utf-8")
    except OSError as problem:
        raise DedupError(
            f"The plan cannot be written to {path}: {problem.strerror}.", "Choose another file."
        ) from problem


def load_plan(path: Path) -> Plan:
    """The plan in a file; raises DedupError when there is none."""
    try:
        value: Any = json.loads(path.read_text(encoding="utf-8"))
        if value["plan"] != PLAN_VERSION:
            raise DedupError(f"{path} was written by another version of this tool.", "Make the plan again.")
        removals = tuple(_removal(row) for row in value["removals"])
        folders = tuple(map(str, value["folders"]))
        if any(removal.folder not in folders for removal in removals):
            raise ValueError("a removal from a folder the plan does not name")
        protected = value.get("protected", [])  # plans of the first version name none
        if not isinstance(protected, list) or not all(isinstance(one, str) for one in protected):
            raise ValueError("protected folders that are no list of names")
        threshold, created = float(value["threshold"]), str(value["created"])
        return Plan(str(value["encoder"]), threshold, folders, removals, created, tuple(protected))
    except OSError as problem:
        raise DedupError(f"The plan {path} cannot be read: {problem.strerror}.", "Check its name.") from problem
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as problem:
        raise DedupError(f"{path} is not a plan.", "Make one with: find FOLDER --save-plan FILE") from problem


def _removal(row: dict[str, Any]) -> Removal:
    file, keeper = (
        FileStamp(str(part["path"]), int(part["size"]), int(part["mtime_ns"]), bytes.fromhex(part["digest"]).hex())
        for part in (row["file"], row["keeper"])
    )
    numbers = (file.size, file.mtime_ns, keeper.size, keeper.mtime_ns)
    similarity = float(row["similarity"])
    if not math.isfinite(similarity) or any(abs(number) >= 1 << 63 for number in numbers):
        raise ValueError("a number no file has")
    return Removal(str(row["folder"]), file, keeper, similarity, str(row["tier"]))
