"""The jobs the menu and the command line share: run one, show its progress, say what came of it.

Each returns an exit code: 0 done, 1 error, 3 partly done, 130 interrupted.
"""

from dedup.jobs.finding import find, names, show_found, summary, warn_skipped
from dedup.jobs.indexing import check_encoder, foreign_lines, import_foreign, index
from dedup.jobs.removing import confirm_and_remove, dry_run, list_lost, plan_marked, review_and_remove
from dedup.jobs.running import (
    DONE,
    ERROR,
    INTERRUPTED,
    LISTED,
    PARTLY,
    USAGE,
    attempt,
    by_folder,
    code_of,
    for_each,
    list_skipped,
)
from dedup.jobs.trashing import purge, undo
from dedup.jobs.upkeep import clean

__all__ = [
    "DONE",
    "ERROR",
    "INTERRUPTED",
    "LISTED",
    "PARTLY",
    "USAGE",
    "attempt",
    "by_folder",
    "check_encoder",
    "clean",
    "code_of",
    "confirm_and_remove",
    "dry_run",
    "find",
    "for_each",
    "foreign_lines",
    "import_foreign",
    "index",
    "list_lost",
    "list_skipped",
    "names",
    "plan_marked",
    "purge",
    "review_and_remove",
    "show_found",
    "summary",
    "undo",
    "warn_skipped",
]
