"""Index, find, plan, remove, undo as plain functions: all that the front ends call.

They take values and a report, return values and raise DedupError; they never print, ask or
exit. Folders are given in any spelling and resolved here.
"""

from dedup.comparison import Wanted
from dedup.workflow.checking import Trial, check_encoder
from dedup.workflow.finding import FindOptions, Found, find, find_by_name, plan_marked, remember_not_duplicates
from dedup.workflow.importing import (
    Foreign,
    ImportResult,
    decline_foreign,
    foreign,
    foreign_is_answered,
    foreign_is_imported,
    import_foreign,
)
from dedup.workflow.indexing import IndexResult, index, load_encoder, load_options
from dedup.workflow.policies import rule_of, with_folders
from dedup.workflow.removing import dry_run, purge, remove, runs, undo
from dedup.workflow.sets import HeldSet, comparable_sets, held_sets, length_of, ranked_sets, wanted_set
from dedup.workflow.upkeep import Health, forget_ghosts, is_indexed, status, verify, waiting_to_be_indexed

__all__ = [
    "FindOptions",
    "Foreign",
    "Found",
    "Health",
    "HeldSet",
    "ImportResult",
    "IndexResult",
    "Trial",
    "Wanted",
    "check_encoder",
    "comparable_sets",
    "decline_foreign",
    "dry_run",
    "find",
    "find_by_name",
    "foreign",
    "foreign_is_answered",
    "foreign_is_imported",
    "forget_ghosts",
    "held_sets",
    "import_foreign",
    "index",
    "is_indexed",
    "length_of",
    "load_encoder",
    "load_options",
    "plan_marked",
    "purge",
    "ranked_sets",
    "remember_not_duplicates",
    "remove",
    "rule_of",
    "runs",
    "status",
    "undo",
    "verify",
    "waiting_to_be_indexed",
    "wanted_set",
    "with_folders",
]
