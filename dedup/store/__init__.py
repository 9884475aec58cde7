"""One folder's SQLite database: pictures, embeddings, verdicts and the journal of removals.

The only room that imports sqlite3. It records what happened to files and never touches one.
"""

from dedup.store.catalogue import Catalogue, Indexed, Picture, SetSummary
from dedup.store.connection import DATABASE_NAME, database_path, has_database
from dedup.store.decisions import (
    KEEPER,
    REMOVED,
    ROLES,
    STAYS,
    DecidedFile,
    Decision,
    content_of,
    decisions,
    now,
    paths_of_digests,
    record_decisions,
)
from dedup.store.foreign import (
    DECLINED,
    IMPORTED,
    ForeignVectors,
    answered,
    foreign_paths,
    foreign_vector,
    foreign_vectors,
    note_answer,
    written_ns,
)
from dedup.store.journal import WITH_PREVIOUS, Entry, Journal
from dedup.store.lock import folder_lock, removal_lock
from dedup.store.peek import Peek
from dedup.store.sidecars import forget_sidecar, record_sidecar, sidecars_of
from dedup.store.verdicts import NotDuplicates, Verdict, record_not_duplicates, update_verdicts, verdicts
from dedup.store.verifications import Verifications, forget_verifications

__all__ = [
    "DATABASE_NAME",
    "DECLINED",
    "IMPORTED",
    "KEEPER",
    "REMOVED",
    "ROLES",
    "STAYS",
    "WITH_PREVIOUS",
    "Catalogue",
    "DecidedFile",
    "Decision",
    "Entry",
    "ForeignVectors",
    "Indexed",
    "Journal",
    "NotDuplicates",
    "Peek",
    "Picture",
    "SetSummary",
    "Verdict",
    "Verifications",
    "answered",
    "content_of",
    "database_path",
    "decisions",
    "folder_lock",
    "foreign_paths",
    "foreign_vector",
    "foreign_vectors",
    "forget_sidecar",
    "forget_verifications",
    "has_database",
    "note_answer",
    "now",
    "paths_of_digests",
    "record_decisions",
    "record_not_duplicates",
    "record_sidecar",
    "removal_lock",
    "sidecars_of",
    "update_verdicts",
    "verdicts",
    "written_ns",
]
