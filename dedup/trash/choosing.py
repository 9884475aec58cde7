"""From the word a person uses to the way itself."""

from __future__ import annotations

from collections.abc import Iterable

from dedup.errors import DedupError
from dedup.trash.deleting import Deletion
from dedup.trash.elsewhere import chosen_folder
from dedup.trash.handing_over import SystemTrash
from dedup.trash.linking import HardLink, Reflink
from dedup.trash.ways import DELETE, FOLDER, HARD_LINK, NAMES, REFLINK, SYSTEM_TRASH, TRASH, Way


def way_of(words: str, folders: Iterable[str]) -> Way:
    """The way called trash, system-trash, hardlink, reflink, delete or folder:DIR; raises DedupError for others.

    ``folders`` are the picture folders, inside which nothing may be moved to.
    """
    name, _, place = words.partition(":")
    if name == FOLDER:
        return chosen_folder(place, folders)
    ways: dict[str, type[Way]] = {
        TRASH: Way,
        SYSTEM_TRASH: SystemTrash,
        HARD_LINK: HardLink,
        REFLINK: Reflink,
        DELETE: Deletion,
    }
    if words not in ways:
        choices = ", ".join(one if one != FOLDER else "folder:DIR" for one in NAMES)
        raise DedupError(f"There is no way to remove called {words}.", f"The ways are: {choices}.")
    return ways[words]()
