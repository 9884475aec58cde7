"""Delete a file for good, by way of the trash: moved, looked at again there, and then erased at once."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from dedup.store import Entry, Journal
from dedup.trash import moves, units
from dedup.trash.checks import why_changed
from dedup.trash.plan import Removal
from dedup.trash.ways import DELETE, Move, Way


class Deletion(Way):
    """Permanent deletion. A crash before the last step leaves the file in the trash, from where undo brings it back."""

    name = DELETE
    done = "purged"

    def aim(self, entry: Entry, removal: Removal) -> Entry:
        """As for the trash, with the way noted."""
        return replace(entry, how=self.name)

    def act(self, root: Path, journal: Journal, entry: Entry, removal: Removal, move: Move) -> str | None:
        """Move the file to the trash, look at it and its keeper once more by their bytes, erase it."""
        if reason := move():
            return reason
        trash = root / entry.trash_path
        reason = why_changed(removal.file, "it", read_bytes=True, at=trash) or why_changed(
            removal.keeper, "its keeper", read_bytes=True
        )
        unit = [one for one in journal.unit_of(entry) if one.state == "planned"]
        if reason:
            return reason + units.move_back(root, unit)
        journal.mark(unit, "purging")
        try:
            moves.erase(trash)
        except OSError as problem:
            return f"cannot be deleted: {problem.strerror or problem}" + units.move_back(root, unit)
        for companion in unit[1:]:
            with suppress(OSError):  # it stays in the trash, where it is found as a file without a picture
                moves.erase(root / companion.trash_path)
        return None
