"""The sidecars that removals wrote beside kept pictures, so that undo can take them away again."""

from __future__ import annotations

import os
from pathlib import Path

from dedup.store.catalogue import Catalogue
from dedup.store.connection import path_from_column, path_to_column


def record_sidecar(store: Catalogue, run_id: str, path: Path, size: int, digest: bytes) -> None:
    """Commit that a run is about to write this file."""
    with store.transaction() as db:
        db.execute(
            "INSERT OR REPLACE INTO sidecars(path, run_id, size, digest) VALUES (?, ?, ?, ?)",
            (path_to_column(os.fspath(path)), run_id, size, digest),
        )


def forget_sidecar(store: Catalogue, path: Path) -> None:
    """Commit that this file is no longer ours."""
    with store.transaction() as db:
        db.execute("DELETE FROM sidecars WHERE path = ?", (path_to_column(os.fspath(path)),))


def sidecars_of(store: Catalogue, run_id: str) -> list[tuple[Path, int, bytes]]:
    """(path, bytes, SHA-256) of the files a run wrote."""
    rows = store.query("SELECT path, size, digest FROM sidecars WHERE run_id = ? ORDER BY path", (run_id,))
    return [(Path(path_from_column(path)), size, digest) for path, size, digest in rows]
