"""One folder's SQLite database: pictures, embeddings, verdicts and the journal of removals.

The only room that imports sqlite3. It records what happened to files and never touches one.
"""

from dedup.store.catalogue import Catalogue, Indexed, Picture, SetSummary
from dedup.store.connection import DATABASE_NAME, database_path, has_database
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
from dedup.store.sidecars import forget_sidecar, record_sidecar, sidecars_of
from dedup.store.verdicts import NotDuplicates, record_not_duplicates
from dedup.store.verifications import Verifications

__all__ = [
    "DATABASE_NAME",
    "DECLINED",
    "IMPORTED",
    "WITH_PREVIOUS",
    "Catalogue",
    "Entry",
    "ForeignVectors",
    "Indexed",
    "Journal",
    "NotDuplicates",
    "Picture",
    "SetSummary",
    "Verifications",
    "answered",
    "database_path",
    "folder_lock",
    "foreign_paths",
    "foreign_vector",
    "foreign_vectors",
    "forget_sidecar",
    "has_database",
    "note_answer",
    "record_not_duplicates",
    "record_sidecar",
    "removal_lock",
    "sidecars_of",
    "written_ns",
]
