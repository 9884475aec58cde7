"""Hand a file to the system's own trash (Send2Trash). What it refuses stays where it is; nothing is deleted instead."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from dedup.store import Entry, Journal
from dedup.trash.checks import why_changed
from dedup.trash.plan import Removal
from dedup.trash.ways import SYSTEM_TRASH, Move, Way

NOT_INSTALLED = "the package Send2Trash, by which the system's trash is reached, is not installed"
ON_A_NETWORK = "it lies on a network drive, where the system has no trash and would delete it"
_REMOTE_DRIVE = 4  # DRIVE_REMOTE of GetDriveTypeW


class SystemTrash(Way):
    """The trash of the desktop. It cannot be undone from here: files come back by the system's own means."""

    name = SYSTEM_TRASH
    done = "handed over"

    def why_not(self, removal: Removal) -> str | None:
        """Without the package nothing goes; on Windows neither what lies on a network drive."""
        from importlib.util import find_spec

        if find_spec("send2trash") is None:
            return NOT_INSTALLED
        if removal.companions:
            return (
                f"{Path(removal.companions[0].path).name} belongs to it, and the system's trash takes files one by one"
            )
        return ON_A_NETWORK if _is_on_a_network(removal.file.path) else None

    def aim(self, entry: Entry, removal: Removal) -> Entry:
        """The trash path stays that of our own trash, where nothing will lie."""
        return replace(entry, how=self.name)

    def act(self, root: Path, journal: Journal, entry: Entry, removal: Removal, move: Move) -> str | None:
        """Hand the file over; the reason when the system would not take it, or when it is still there."""
        place = os.fspath(root / entry.path)
        try:
            from send2trash import TrashPermissionError, send2trash
        except ImportError:
            return NOT_INSTALLED
        except Exception as problem:  # what it is built on (GLib, COM) may fail in ways of its own
            return f"the system's trash cannot be reached: {problem}"
        try:
            send2trash(place)
        except TrashPermissionError as problem:
            return f"no trash can be made on its volume: {problem.strerror or problem}"
        except OSError as problem:
            return f"the system's trash did not take it: {problem.strerror or problem}"
        except Exception as problem:  # as above: the file stays, and is listed with what was said
            return f"the system's trash did not take it: {problem}"
        if why_changed(removal.file, "it") is None:
            return "the system's trash said it took it, and it is still there"
        return None


def _is_on_a_network(path: str) -> bool:
    if os.name != "nt":
        return False
    import ctypes

    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined, unused-ignore]
    drive = os.path.splitdrive(os.path.abspath(path))[0]
    return drive.startswith("\\\\") or kernel.GetDriveTypeW(drive + "\\") == _REMOTE_DRIVE
