"""Folders that never lose a file: the last word on it, whatever a plan says."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from dedup.trash.plan import Removal

PROTECTED = "it lies in a protected folder"


@dataclass(slots=True)
class Protected:
    """Protected folders, by name and by what they are on the disk: another way to the same folder protects too."""

    folders: frozenset[Path]
    identities: frozenset[tuple[int, int]]
    _known: dict[Path, bool] = field(default_factory=dict)

    @classmethod
    def of(cls, folders: Iterable[str]) -> Protected:
        """Those of the folders that are there; a drive that is away holds nothing that could be removed."""
        named = [Path(os.path.abspath(folder)) for folder in folders if "\0" not in folder]
        # A subfolder may be mounted elsewhere too, so that no folder above it tells where it belongs.
        below = (folder for top in named for folder, _, _ in os.walk(top))
        found = (_identity(folder) for folder in chain(named, map(Path, below)))
        return cls(frozenset(named), frozenset(one for one in found if one is not None))

    def why_not(self, removal: Removal) -> str | None:
        """The reason a file must not be removed, or None where it is not protected."""
        parent = Path(removal.file.path).parent
        if not self.folders:
            return None
        if parent not in self._known:
            self._known[parent] = self._holds(parent)
        return PROTECTED if self._known[parent] else None

    def _holds(self, parent: Path) -> bool:
        try:
            resolved = parent.resolve()
        except (OSError, RuntimeError):
            return True  # what cannot be looked at is not known to be unprotected
        ways = {parent, *parent.parents, resolved, *resolved.parents}
        return bool(ways & self.folders) or any(_identity(folder) in self.identities for folder in ways)


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(folder)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino
