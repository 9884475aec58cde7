"""The ways to dispose of a picture: what they have in common, and which there are.

Every way keeps one contract. The same checks run right before each file. The journal's row is committed before the
act, and says the way. ``act`` gives the reason when the file stays, and then it lies where it was; ``done`` is the
state its row takes otherwise. What a crash left half done is settled by ``dedup.trash.aftermath``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dedup.store import Entry, Journal
from dedup.trash.plan import Removal

TRASH = "trash"
SYSTEM_TRASH = "system-trash"
HARD_LINK = "hardlink"
REFLINK = "reflink"
DELETE = "delete"
FOLDER = "folder"
COPY = "copy"
# What a person may name; "folder:" is followed by the folder, and copies are made by organise alone.
NAMES = (TRASH, SYSTEM_TRASH, HARD_LINK, REFLINK, DELETE, FOLDER)
IN_A_CHOSEN_FOLDER = (FOLDER, COPY)

Move = Callable[[], str | None]


class Way:
    """The trash, the way that is taken when no other is named; the others differ in the methods they replace."""

    name = TRASH
    done = "moved"
    # Whether the files that belong to a picture go with it; where its name stays, they stay.
    takes_companions = True

    def why_not(self, removal: Removal) -> str | None:
        """The reason this way cannot take this file, or None; changes nothing."""
        return None

    def aim(self, entry: Entry, removal: Removal) -> Entry:
        """The journal's row for one file, with where it goes."""
        return entry

    def act(self, root: Path, journal: Journal, entry: Entry, removal: Removal, move: Move) -> str | None:
        """Dispose of one file; the reason when it stays. ``move`` moves it to the row's trash path and looks again."""
        return move()
