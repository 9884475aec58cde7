"""Write what only a removed picture knew into an XMP sidecar beside the picture kept instead.

A sidecar is a new file, ``name.ext.xmp``; where the kept picture has one already, by either custom of naming,
nothing is written. The kept picture itself is never changed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from dedup import images
from dedup.companions import Beside
from dedup.metadata import Metadata, as_packet
from dedup.progress import Skipped
from dedup.store import Catalogue, forget_sidecar, record_sidecar, sidecars_of
from dedup.trash import moves


def write_sidecars(store: Catalogue, run_id: str, wanted: Mapping[Path, Metadata]) -> tuple[list[Path], list[Skipped]]:
    """Write a sidecar beside each kept picture; those written, and those not, with the reason.

    Each is in the journal before it is on the disk, so that undoing the run takes it away again.
    """
    written: list[Path] = []
    refused: list[Skipped] = []
    beside = Beside()
    for keeper, known in wanted.items():
        target = keeper.with_name(keeper.name + ".xmp")
        there = [one for one in beside.files_of(keeper) if one.suffix.lower() == ".xmp"]
        if there:
            refused.append(Skipped(os.fspath(keeper), f"has a sidecar already ({there[0].name}), which is not altered"))
            continue
        data = as_packet(known)
        record_sidecar(store, run_id, target, len(data), hashlib.sha256(data).digest())
        try:
            moves.write_new(target, data)
        except OSError as problem:
            forget_sidecar(store, target)
            refused.append(Skipped(os.fspath(target), f"cannot be written: {problem.strerror or problem}"))
        else:
            written.append(target)
    return written, refused


def remove_sidecars(store: Catalogue, run_id: str) -> list[Skipped]:
    """Take away the sidecars a run wrote, as far as nobody changed them; those that stay, with the reason."""
    stay = []
    for path, size, digest in sidecars_of(store, run_id):
        try:
            moves.drop_part(path)
            if os.path.lexists(path):
                if path.is_symlink() or os.lstat(path).st_size != size or images.digest(path) != digest:
                    stay.append(Skipped(os.fspath(path), "was written by the removal and changed since; it stays"))
                else:
                    moves.erase(path)
        except OSError as problem:
            stay.append(Skipped(os.fspath(path), f"cannot be removed: {problem.strerror or problem}"))
            continue
        forget_sidecar(store, path)
    return stay
