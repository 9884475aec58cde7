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

from dedup import permissions
from dedup.errors import DedupError
from dedup.store import Picture
from dedup.trash import moves

PLAN_VERSION = 2
READABLE_VERSIONS = (1, 2)  # the first knew no companions


@dataclass(frozen=True, slots=True)
class FileStamp:
    """A file as it was when it was indexed: absolute path, bytes, mtime_ns, SHA-256 in hex."""

    path: str
    size: int
    mtime_ns: int
    digest: str


@dataclass(frozen=True, slots=True)
class Removal:
    """One picture to be removed from ``folder``, and the kept picture it is a copy of.

    ``companions`` are the files that belong to it alone and move with it. ``lost`` says in words what it or they hold
    and the keeper does not. ``last_copy``: a person asked by name to remove it though no match of it stays; ``keeper``
    is then the file itself. No saved plan can say so: read from a file, such a removal has no keeper and is refused.
    """

    folder: str
    file: FileStamp
    keeper: FileStamp
    similarity: float
    tier: str
    companions: tuple[FileStamp, ...] = ()
    lost: tuple[str, ...] = ()
    last_copy: bool = False

    @property
    def files(self) -> tuple[FileStamp, ...]:
        """All that moves: the picture, then its companions."""
        return (self.file, *self.companions)

    @property
    def bytes(self) -> int:
        """How many bytes the picture and its companions take up."""
        return sum(stamp.size for stamp in self.files)


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
        return sum(removal.bytes for removal in self.removals)

    @property
    def companions(self) -> int:
        """How many files move because they belong to a picture."""
        return sum(len(removal.companions) for removal in self.removals)

    @property
    def files(self) -> int:
        """How many files move: the pictures and what belongs to them."""
        return len(self.removals) + self.companions

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
        text = json.dumps({"plan": PLAN_VERSION, **asdict(plan)}, indent=1)
        # It tells names and digests: who may not see the pictures may not see it either.
        moves.write_anew(path, text.encode(), permissions.of_folders(plan.folders))
    except OSError as problem:
        raise DedupError(
            f"The plan cannot be written to {path}: {problem.strerror}.", "Choose another file."
        ) from problem


def load_plan(path: Path) -> Plan:
    """The plan in a file; raises DedupError when there is none."""
    try:
        value: Any = json.loads(path.read_text(encoding="utf-8"))
        if value["plan"] not in READABLE_VERSIONS:
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
    similarity = float(row["similarity"])
    if not math.isfinite(similarity):
        raise ValueError("a number no pair has")
    return Removal(
        str(row["folder"]),
        _stamp(row["file"]),
        _stamp(row["keeper"]),
        similarity,
        str(row["tier"]),
        tuple(_stamp(part) for part in row.get("companions", ())),
        tuple(str(line) for line in row.get("lost", ())),
    )


def _stamp(part: dict[str, Any]) -> FileStamp:
    numbers = int(part["size"]), int(part["mtime_ns"])
    if any(abs(number) >= 1 << 63 for number in numbers):
        raise ValueError("a number no file has")
    return FileStamp(str(part["path"]), *numbers, bytes.fromhex(part["digest"]).hex())
