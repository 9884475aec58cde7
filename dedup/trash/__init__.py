"""Plan, remove, undo, purge: the only room that moves or deletes a user's file.

plan -> checks -> moves, with the journal telling what was to happen and the disk what did.
"""

from dedup.trash.backup import Backup, back_up
from dedup.trash.choosing import way_of
from dedup.trash.completing import complete
from dedup.trash.history import PastRun, files_of, history, is_older, moment_before
from dedup.trash.organising import organise, with_keepers
from dedup.trash.plan import FileStamp, Plan, Removal, load_plan, make_plan, save_plan, stamp
from dedup.trash.recovery import settle
from dedup.trash.removal import Outcome, execute, inspect
from dedup.trash.runs import Run, files_in_trash, has_trash, purge, runs_in_trash, undo
from dedup.trash.sidecars import write_sidecars
from dedup.trash.ways import COPY, DELETE, FOLDER, HARD_LINK, IN_A_CHOSEN_FOLDER, REFLINK, SYSTEM_TRASH, TRASH, Way

__all__ = [
    "COPY",
    "DELETE",
    "FOLDER",
    "HARD_LINK",
    "IN_A_CHOSEN_FOLDER",
    "REFLINK",
    "SYSTEM_TRASH",
    "TRASH",
    "Backup",
    "FileStamp",
    "Outcome",
    "PastRun",
    "Plan",
    "Removal",
    "Run",
    "Way",
    "back_up",
    "complete",
    "execute",
    "files_in_trash",
    "files_of",
    "has_trash",
    "history",
    "inspect",
    "is_older",
    "load_plan",
    "make_plan",
    "moment_before",
    "organise",
    "purge",
    "runs_in_trash",
    "save_plan",
    "settle",
    "stamp",
    "undo",
    "way_of",
    "with_keepers",
    "write_sidecars",
]
