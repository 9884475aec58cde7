"""Plan, remove, undo, purge: the only room that moves or deletes a user's file.

plan -> checks -> moves, with the journal telling what was to happen and the disk what did.
"""

from dedup.trash.backup import Backup, back_up
from dedup.trash.completing import complete
from dedup.trash.plan import FileStamp, Plan, Removal, load_plan, make_plan, save_plan, stamp
from dedup.trash.recovery import settle
from dedup.trash.removal import Outcome, execute, inspect
from dedup.trash.runs import Run, files_in_trash, has_trash, purge, runs_in_trash, undo
from dedup.trash.sidecars import write_sidecars

__all__ = [
    "Backup",
    "FileStamp",
    "Outcome",
    "Plan",
    "Removal",
    "Run",
    "back_up",
    "complete",
    "execute",
    "files_in_trash",
    "has_trash",
    "inspect",
    "load_plan",
    "make_plan",
    "purge",
    "runs_in_trash",
    "save_plan",
    "settle",
    "stamp",
    "undo",
    "write_sidecars",
]
