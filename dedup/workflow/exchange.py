"""Decisions as a JSON file, by content: for another copy of the collection, on another machine, or to keep.

A file holds digests and, to tell identical files apart, where they lay; nothing in it is ever opened or moved.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dedup.errors import DedupError
from dedup.scan import real_folder
from dedup.store import (
    KEEPER,
    ROLES,
    Catalogue,
    DecidedFile,
    Decision,
    Verdict,
    decisions,
    record_decisions,
    record_not_duplicates,
)
from dedup.workflow.decided import Decided

NAME, VERSION = "duplicate picture finder: decisions", 1
MOST_COPIES = 1_000_000


@dataclass(frozen=True, slots=True)
class Imported:
    """How many verdicts and decisions were new to a folder, and how many it knew already."""

    verdicts: int
    decisions: int
    known: int


def export_decided(rows: Iterable[Decided], path: Path) -> int:
    """Write decisions to a new file, or over one of the same kind; how many there are. Raises DedupError."""
    whats = [row.what for row in rows]
    value = {
        "file": NAME,
        "version": VERSION,
        "verdicts": [
            {"decided_at": one.decided_at, "copies": {digest.hex(): count for digest, count in one.copies.items()}}
            for one in whats
            if isinstance(one, Verdict)
        ],
        "decisions": [
            {
                "decided_at": one.decided_at,
                "seen": one.is_seen,
                "files": [{**asdict(file), "digest": file.digest.hex()} for file in one.files],
            }
            for one in whats
            if isinstance(one, Decision)
        ],
    }
    if os.path.lexists(path):
        if not path.is_file():
            raise DedupError(f"{path} is not a regular file.", "Choose another file.")
        read_decided(path)  # nothing else is ever written over
    try:
        path.write_text(json.dumps(value, indent=1), encoding="utf-8")
    except OSError as problem:
        raise DedupError(f"{path} cannot be written: {problem.strerror}.", "Choose another file.") from problem
    return len(whats)


def read_decided(path: Path) -> list[Verdict | Decision]:
    """What a file holds; raises DedupError where it is not one that ``export_decided`` wrote."""
    try:
        value: Any = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(value, dict) or value.get("file") != NAME:
            raise ValueError("another kind of file")
        if value.get("version") != VERSION:
            raise DedupError(f"{path} was written by another version of this tool.", "Export it again.")
        _only(value, "file", "version", "verdicts", "decisions")
        rows: list[Verdict | Decision] = [_verdict(row) for row in _list(value["verdicts"])]
        return rows + [_decision(row) for row in _list(value["decisions"])]
    except OSError as problem:
        raise DedupError(f"{path} cannot be read: {problem.strerror}.", "Check its name.") from problem
    except (ValueError, RecursionError) as problem:
        raise DedupError(
            f"{path} is not a file of decisions, or is damaged; nothing was imported.",
            "Make one with: verdicts FOLDER --export FILE",
        ) from problem


def import_decided(whats: Iterable[Verdict | Decision], folders: Sequence[str | Path]) -> dict[Path, Imported]:
    """Keep decisions in the databases of these folders; what is known there already, or decided later, stays."""
    rows = list(whats)
    said = [one for one in rows if isinstance(one, Verdict)]
    decided = {one.content: one for one in rows if isinstance(one, Decision)}
    done = {}
    for root in dict.fromkeys(real_folder(folder) for folder in folders):
        with Catalogue(root) as store:
            known = decisions(store, decided)
            new = [
                one
                for content, one in decided.items()
                if content not in known or known[content].decided_at < one.decided_at
            ]
            record_decisions(store, new)
            added = sum(record_not_duplicates(store, Counter(one.copies).elements(), one.decided_at) for one in said)
            done[root] = Imported(added, len(new), len(rows) - added - len(new))
    return done


def _verdict(row: Any) -> Verdict:
    _only(row, "decided_at", "copies")
    copies = row["copies"]
    if not isinstance(copies, dict):
        raise ValueError("no copies")
    counted = {_digest(digest): count for digest, count in copies.items()}
    if any(type(count) is not int or not 1 <= count <= MOST_COPIES for count in counted.values()):
        raise ValueError("a number of copies no set has")
    if not 2 <= sum(counted.values()) <= MOST_COPIES:
        raise ValueError("no set")
    return Verdict(_moment(row["decided_at"]), counted)


def _decision(row: Any) -> Decision:
    _only(row, "decided_at", "seen", "files")
    files = tuple(_file(file) for file in _list(row["files"]))
    if type(row["seen"]) is not bool or len(files) < 2 or [file.role for file in files].count(KEEPER) != 1:
        raise ValueError("not the decision about a set")
    return Decision(_moment(row["decided_at"]), row["seen"], files)


def _file(row: Any) -> DecidedFile:
    _only(row, "digest", "folder", "path", "role")
    folder, path, role = row["folder"], row["path"], row["role"]
    if role not in ROLES or not isinstance(folder, str) or not isinstance(path, str):
        raise ValueError("not a file of a set")
    os.fsencode(folder + path)  # a name no file can have is a UnicodeError, which is a ValueError
    return DecidedFile(_digest(row["digest"]), folder, path, role)


def _only(row: Any, *names: str) -> None:
    if not isinstance(row, dict) or set(row) != set(names):
        raise ValueError("other fields")


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("not a list")
    return value


def _digest(text: Any) -> bytes:
    if not isinstance(text, str) or not re.fullmatch("[0-9a-f]{64}", text):
        raise ValueError("not a SHA-256")
    return bytes.fromhex(text)


def _moment(text: Any) -> str:
    # In the one form in which moments are compared as text.
    if not isinstance(text, str) or not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", text):
        raise ValueError("not a moment")
    datetime.fromisoformat(text)
    return text
