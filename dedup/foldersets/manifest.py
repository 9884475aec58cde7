"""What was laid out, where and from what: ``manifest.json`` in the output folder, and ``info.txt`` beside it.

The manifest is written last, so that a run which ended early leaves none, and nothing that it did not lay out can be
read as deleted.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from dedup.errors import DedupError
from dedup.trash import FileStamp

VERSION = 1
MANIFEST, INFO, TO_DELETE, CONFIG = "manifest.json", "info.txt", "to_delete.txt", "config.toml"


@dataclass(frozen=True, slots=True)
class Member:
    """One picture of a set: the original as it was indexed in ``folder``, and its copy, relative to the output folder.

    Without a ``copy`` it could not be laid out, for the ``reason`` given. ``protected``: never to be removed.
    """

    folder: str
    original: FileStamp
    copy: str
    protected: bool = False
    reason: str = ""

    def is_there(self) -> bool:
        """Whether anything lies where the original was."""
        return os.path.lexists(self.original.path)

    def is_unchanged(self) -> bool:
        """Whether the original has the size and time it had; its bytes are looked at before anything is removed."""
        try:
            status = os.lstat(self.original.path)
        except (OSError, ValueError):
            return False
        return (status.st_size, status.st_mtime_ns) == (self.original.size, self.original.mtime_ns)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two members of a set, by number, that match directly."""

    first: int
    second: int
    similarity: float
    tier: str


@dataclass(frozen=True, slots=True)
class FolderSet:
    """One set as it was laid out in the folder ``number``; its first member is the proposed keeper."""

    number: int
    members: tuple[Member, ...]
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that was laid out, and how it was found."""

    encoder: str
    threshold: float
    bits: int
    folders: tuple[str, ...]
    link_mode: str
    created: str
    sets: tuple[FolderSet, ...]

    def members(self) -> Iterator[Member]:
        """Every member of every set."""
        return (member for one in self.sets for member in one.members)


def write_manifest(manifest: Manifest, output: Path) -> None:
    """Write ``info.txt`` and then ``manifest.json`` into an output folder that holds neither."""
    mapping = {one.original.path: os.fspath(output / one.copy) for one in manifest.members() if one.copy}
    # Names that are no Unicode stand as escapes in JSON, and come back as they were.
    _write_new(output / INFO, json.dumps(mapping, indent=2))
    _write_new(output / MANIFEST, json.dumps({"manifest": VERSION, **asdict(manifest)}, indent=1))


def load_manifest(output: Path) -> Manifest:
    """The manifest of an output folder; raises DedupError where there is none or it is not whole."""
    path = output / MANIFEST
    try:
        value: Any = json.loads(path.read_text(encoding="utf-8"))
        if value["manifest"] != VERSION:
            raise DedupError(f"{path} was written by another version of this tool.", "Lay the sets out again.")
        return Manifest(
            str(value["encoder"]),
            _finite(value["threshold"]),
            int(value["bits"]),
            tuple(map(str, value["folders"])),
            str(value["link_mode"]),
            str(value["created"]),
            tuple(_folder_set(row) for row in value["sets"]),
        )
    except OSError as problem:
        raise DedupError(
            f"{output} holds no sets that were laid out to the end: {MANIFEST}: {problem.strerror}.",
            "Lay them out with: folders find PATH --output DIR (--again where a run ended early)",
        ) from problem
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as problem:
        raise DedupError(
            f"{path} is not a whole manifest, so nothing can be told from this folder.",
            "Lay the sets out again: folders find PATH --output DIR --again",
        ) from problem


def _folder_set(row: dict[str, Any]) -> FolderSet:
    members = tuple(_member(one) for one in row["members"])
    pairs = tuple(
        Pair(int(one["first"]), int(one["second"]), _finite(one["similarity"]), str(one["tier"]))
        for one in row["pairs"]
    )
    if len(members) < 2 or any(not 0 <= at < len(members) for pair in pairs for at in (pair.first, pair.second)):
        raise ValueError("a pair of a picture the set does not have")
    return FolderSet(int(row["number"]), members, pairs)


def _member(row: dict[str, Any]) -> Member:
    file, copy = row["original"], PurePosixPath(row["copy"])
    stamp = FileStamp(str(file["path"]), int(file["size"]), int(file["mtime_ns"]), bytes.fromhex(file["digest"]).hex())
    if (
        copy.is_absolute()
        or ".." in copy.parts
        or any(abs(number) >= 1 << 63 for number in (stamp.size, stamp.mtime_ns))
    ):
        raise ValueError("a copy outside the folder, or a number no file has")
    return Member(str(row["folder"]), stamp, str(row["copy"]), bool(row["protected"]), str(row["reason"]))


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("a number that is none")
    return number


def _write_new(path: Path, text: str) -> None:
    with path.open("x", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
