"""A little space set aside beside the database, so that a disk filled to the last byte can still be emptied.

The database needs some room to be opened and written. On a full disk there is none, and without the database nothing
can be purged or brought back. So while something lies in the trash, a file of half a megabyte lies beside the database,
which is given up then.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from dedup.errors import DedupError
from dedup.scan import TRASH_NAME
from dedup.store import database_path
from dedup.trash import moves

NAME = "image_database.reserve"
BYTES = 512 * 1024
Value = TypeVar("Value")


def keep(root: Path) -> None:
    """Have the space set aside as long as there is a trash, and no longer; a full disk is no error."""
    place = _place(root)
    if not os.path.isdir(root / TRASH_NAME):
        give_up(root)
    elif not os.path.lexists(place):
        try:
            with open(place, "xb") as file:
                file.write(os.urandom(BYTES))  # what compresses well takes no space on some file systems
        except OSError:
            give_up(root)


def give_up(root: Path) -> bool:
    """Free the space; whether there was any."""
    try:
        moves.erase(_place(root))
    except OSError:
        return False
    return True


def with_room(root: Path, open_it: Callable[[], Value]) -> Value:
    """What ``open_it`` opens, tried once more with the space given up where it could not for want of room."""
    try:
        return open_it()
    except DedupError:
        if not give_up(root):
            raise
        return open_it()


def _place(root: Path) -> Path:
    return database_path(root).with_name(NAME)
