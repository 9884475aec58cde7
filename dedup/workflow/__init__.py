"""Index, find, plan, remove, undo as plain functions: all that the front ends call.

They take values and a report, return values and raise DedupError; they never print, ask or
exit. Folders are given in any spelling and resolved here.
"""

from dedup.comparison import Wanted
from dedup.workflow.checking import Trial, check_encoder
from dedup.workflow.decided import NOT_DUPLICATES, REVIEWED, Decided, list_decided, take_back
from dedup.workflow.deciding import Outlook, carried_out, keep_outlooks, recall
from dedup.workflow.exchange import Imported, export_decided, import_decided, read_decided
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
from dedup.workflow.removing import (
    back_up,
    complete_plan,
    dry_run,
    files_of_run,
    has_metadata_to_keep,
    history,
    organise,
    purge,
    remove,
    runs,
    runs_to_purge,
    undo,
)
from dedup.workflow.searching import Dupes, Searched, SearchOptions, dupes, require_paths, search
from dedup.workflow.sets import HeldSet, comparable_sets, held_sets, length_of, ranked_sets, wanted_set
from dedup.workflow.upkeep import (
    Health,
    forget_ghosts,
    forget_results,
    is_indexed,
    status,
    verify,
    waiting_to_be_indexed,
)

__all__ = [
    "NOT_DUPLICATES",
    "REVIEWED",
    "Decided",
    "Dupes",
    "FindOptions",
    "Foreign",
    "Found",
    "Health",
    "HeldSet",
    "ImportResult",
    "Imported",
    "IndexResult",
    "Outlook",
    "SearchOptions",
    "Searched",
    "Trial",
    "Wanted",
    "back_up",
    "carried_out",
    "check_encoder",
    "comparable_sets",
    "complete_plan",
    "decline_foreign",
    "dry_run",
    "dupes",
    "export_decided",
    "files_of_run",
    "find",
    "find_by_name",
    "foreign",
    "foreign_is_answered",
    "foreign_is_imported",
    "forget_ghosts",
    "forget_results",
    "has_metadata_to_keep",
    "held_sets",
    "history",
    "import_decided",
    "import_foreign",
    "index",
    "is_indexed",
    "keep_outlooks",
    "length_of",
    "list_decided",
    "load_encoder",
    "load_options",
    "organise",
    "plan_marked",
    "purge",
    "ranked_sets",
    "read_decided",
    "recall",
    "remember_not_duplicates",
    "remove",
    "require_paths",
    "rule_of",
    "runs",
    "runs_to_purge",
    "search",
    "status",
    "take_back",
    "undo",
    "verify",
    "waiting_to_be_indexed",
    "wanted_set",
    "with_folders",
]
