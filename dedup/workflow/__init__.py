"""Index, find, plan, remove, undo as plain functions: all that the front ends call.

They take values and a report, return values and raise DedupError; they never print, ask or
exit. Folders are given in any spelling and resolved here.
"""

from dedup.workflow.finding import FindOptions, Found, find, find_by_name, plan_marked, remember_not_duplicates
from dedup.workflow.indexing import IndexResult, index, load_encoder
from dedup.workflow.removing import dry_run, purge, remove, runs, undo
from dedup.workflow.upkeep import Health, forget_ghosts, is_indexed, status, verify, waiting_to_be_indexed

__all__ = [
    "FindOptions",
    "Found",
    "Health",
    "IndexResult",
    "dry_run",
    "find",
    "find_by_name",
    "forget_ghosts",
    "index",
    "is_indexed",
    "load_encoder",
    "plan_marked",
    "purge",
    "remember_not_duplicates",
    "remove",
    "runs",
    "status",
    "undo",
    "verify",
    "waiting_to_be_indexed",
]
