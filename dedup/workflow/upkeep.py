"""How a folder and its database stand to each other, and what to do about it."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dedup import hasher, scan, trash
from dedup.scan import real_folder
from dedup.store import (
    Catalogue,
    folder_lock,
    forget_verifications,
    has_database,
)
from dedup.verify.verification import VERSION


@dataclass(frozen=True, slots=True)
class Health:
    """What clean/verify found in a folder's database, before anything is changed."""

    pictures: int
    ghosts: list[str]
    changed: list[str]
    new: int
    unreadable: dict[str, str]
    in_trash: int
    problems: list[str]
    files_on_disk: int


def verify(folder: str | Path) -> Health:
    """What is wrong between a folder and its database; changes nothing but unsettled journal rows."""
    root = real_folder(folder)
    with Catalogue(root) as store, folder_lock(root, "checking the database"):
        problems = store.integrity_problems()
        trash.settle(store)
        listing = scan.list_pictures(root)
        changes = scan.compare(listing, store.known())
        return Health(
            store.count("ok"),
            changes.gone,
            [found.path for found in changes.changed],
            len(changes.new),
            store.unreadable(),
            trash.files_in_trash(store),
            problems,
            len(listing.files),
        )


def forget_ghosts(folder: str | Path) -> int:
    """Drop the rows whose files are gone; how many there were. Moved files keep their rows."""
    root = real_folder(folder)
    with Catalogue(root) as store, folder_lock(root, "checking the database"):
        changes = scan.compare(scan.list_pictures(root), store.known())
        gone = hasher.recognise_moved(store, changes).gone
        store.forget(gone)
        return len(gone)


def forget_results(folder: str | Path) -> int:
    """Drop what was found of pairs of pictures that are no longer in the database or the trash; how many.

    Nothing is lost but time, should such a picture come back.
    """
    root = real_folder(folder)
    with Catalogue(root) as store, folder_lock(root):
        return forget_verifications(store, VERSION)


def is_indexed(folder: str | Path) -> bool:
    """Whether the folder's database holds embeddings, or there is no picture to embed."""
    root = real_folder(folder)
    if not has_database(root):
        return False
    with Catalogue(root) as store:
        return any(row.pictures for row in store.sets()) or bool(store.count("ok") == 0 and store.known())


def waiting_to_be_indexed(folder: str | Path) -> int:
    """How many picture files of an indexed folder are new or changed since."""
    root = real_folder(folder)
    with Catalogue(root) as store:
        changes = scan.compare(scan.list_pictures(root), store.known())
        return len(changes.new) + len(changes.changed)


def status(folder: str | Path) -> dict[str, Any]:
    """What a folder's database holds and how it compares with the disk, as plain values."""
    root = real_folder(folder)
    with Catalogue(root) as store:
        changes = scan.compare(scan.list_pictures(root), store.known())
        runs_here = trash.runs_in_trash(store)
        return {
            "folder": os.fspath(root),
            "database": os.fspath(store.path),
            "pictures": store.count("ok"),
            "new": len(changes.new),
            "changed": len(changes.changed),
            "gone": len(changes.gone),
            "in_trash": sum(run.files for run in runs_here if run.in_trash),
            "unreadable": [
                {"path": os.fspath(root / path), "reason": reason} for path, reason in store.unreadable().items()
            ],
            "sets": [{**asdict(row.provenance), "pictures": row.pictures} for row in store.sets()],
            "runs": [asdict(run) for run in runs_here],
            "foreign_table": store.has_foreign_table(),
        }
