"""The tables of a folder's database, as numbered migrations.

Each migration runs in one transaction and none ever drops an embedding. A table
``images`` left by another tool in the same file is never touched.
"""

from __future__ import annotations

import sqlite3

APPLICATION_ID = 0x44454455  # "DEDU"

_M001 = """
CREATE TABLE pictures (
    id INTEGER PRIMARY KEY,
    path NOT NULL UNIQUE,            -- relative to the folder, '/' between parts; TEXT, or BLOB where not Unicode
    size INTEGER NOT NULL,           -- bytes
    mtime_ns INTEGER NOT NULL,
    width INTEGER NOT NULL DEFAULT 0,
    height INTEGER NOT NULL DEFAULT 0,
    format TEXT NOT NULL DEFAULT '',
    digest BLOB,                     -- SHA-256 of the file; NULL where it could not be read at all
    contrast REAL NOT NULL DEFAULT 0,   -- standard deviation of what the encoder sees, 0 to 128
    several_frames INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL CHECK (state IN ('ok', 'unreadable', 'trash')),
    reason TEXT NOT NULL DEFAULT ''
);
CREATE INDEX pictures_by_digest ON pictures(digest);
CREATE TABLE embedding_sets (
    id INTEGER PRIMARY KEY,
    encoder TEXT NOT NULL,
    checkpoint TEXT NOT NULL,
    layer TEXT NOT NULL,
    preprocessing INTEGER NOT NULL,
    dim INTEGER NOT NULL,
    dtype TEXT NOT NULL,
    UNIQUE (encoder, checkpoint, layer, preprocessing, dim, dtype)
);
CREATE TABLE embeddings (
    id INTEGER PRIMARY KEY,
    picture_id INTEGER NOT NULL REFERENCES pictures(id) ON DELETE CASCADE,
    set_id INTEGER NOT NULL REFERENCES embedding_sets(id),
    vector BLOB NOT NULL,
    UNIQUE (picture_id, set_id)
);
CREATE TABLE verdicts (
    id INTEGER PRIMARY KEY,
    decided_at TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('not duplicates'))
);
CREATE TABLE verdict_members (
    verdict_id INTEGER NOT NULL REFERENCES verdicts(id) ON DELETE CASCADE,
    digest BLOB NOT NULL,
    copies INTEGER NOT NULL,         -- how many files with this digest the set held
    PRIMARY KEY (verdict_id, digest)
);
CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    started_at TEXT NOT NULL,
    folders TEXT NOT NULL            -- JSON list of the folders the run removed from
);
CREATE TABLE journal (
    id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs(id),
    path NOT NULL,                   -- where the file was, relative to the folder
    trash_path NOT NULL,             -- where it goes, relative to the folder
    restored_path,                   -- where undo put it, when not back at its path
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    digest BLOB NOT NULL,
    keeper TEXT NOT NULL,            -- absolute path of the kept picture
    keeper_digest BLOB NOT NULL,     -- its SHA-256, so that purge knows whether it still is that picture
    similarity REAL NOT NULL,
    tier TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN
        ('planned', 'moved', 'failed', 'restoring', 'restored', 'purging', 'purged', 'lost')),
    reason TEXT NOT NULL DEFAULT ''
);
CREATE INDEX journal_by_run ON journal(run_id);
"""

# Contrast belongs to what an encoder saw, so to the embedding and not to the picture. Of a table left by the tool
# this one replaces it is noted when its database was last written before we opened it, and what came of it.
_M002 = """
ALTER TABLE embeddings ADD COLUMN contrast REAL NOT NULL DEFAULT 255;
UPDATE embeddings SET contrast = (SELECT contrast FROM pictures WHERE pictures.id = embeddings.picture_id);
ALTER TABLE pictures DROP COLUMN contrast;
CREATE TABLE foreign_tables (
    name TEXT PRIMARY KEY,
    written_ns INTEGER,              -- its file's time when first opened; NULL where that was not noted
    answer TEXT NOT NULL DEFAULT '' CHECK (answer IN ('', 'imported', 'declined')),
    rows_then INTEGER NOT NULL DEFAULT 0
);
"""

# What verification concluded, by content: the digests in order, so that moves and re-indexing lose nothing. And a
# fingerprint of each picture's whole frame, by which copies are found that encoders do not see.
_M003 = """
CREATE TABLE verifications (
    first BLOB NOT NULL,             -- the smaller digest
    second BLOB NOT NULL,
    version INTEGER NOT NULL,        -- of the verifier
    result TEXT NOT NULL,            -- JSON, about the second as seen from the first
    PRIMARY KEY (first, second)
) WITHOUT ROWID;
ALTER TABLE pictures ADD COLUMN frame BLOB;
"""

# Besides the trash there are other ways to dispose of a file: which one a row speaks of, and the folder chosen for it.
_M004 = """
CREATE TABLE journal_with_ways (
    id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs(id),
    path NOT NULL,                   -- where the file was, relative to the folder
    trash_path NOT NULL,             -- where it goes, relative to the folder, or absolute in a folder chosen
    restored_path,                   -- where undo put it, when not back at its path
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    digest BLOB NOT NULL,
    keeper TEXT NOT NULL,            -- absolute path of the kept picture
    keeper_digest BLOB NOT NULL,     -- its SHA-256, so that purge knows whether it still is that picture
    similarity REAL NOT NULL,
    tier TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('planned', 'moved', 'failed', 'restoring', 'restored', 'purging', 'purged',
        'lost', 'handed over', 'shared', 'copied')),
    reason TEXT NOT NULL DEFAULT '',
    how TEXT NOT NULL DEFAULT 'trash',
    target NOT NULL DEFAULT ''       -- the folder chosen, absolute
);
INSERT INTO journal_with_ways(id, run_id, path, trash_path, restored_path, size, mtime_ns, digest, keeper,
    keeper_digest, similarity, tier, state, reason)
    SELECT id, run_id, path, trash_path, restored_path, size, mtime_ns, digest, keeper,
    keeper_digest, similarity, tier, state, reason FROM journal;
DROP TABLE journal;
ALTER TABLE journal_with_ways RENAME TO journal;
CREATE INDEX journal_by_run ON journal(run_id);
"""
# Files that move with a picture (RAW, sidecars, films), and the sidecars written beside pictures that were kept.
_M005 = """
ALTER TABLE journal ADD COLUMN unit INTEGER;    -- the id of the row of the picture a file belongs to; NULL for pictures
CREATE INDEX journal_by_unit ON journal(unit);
CREATE TABLE sidecars (
    path PRIMARY KEY,                -- absolute: the kept picture may lie in another folder
    run_id TEXT NOT NULL,
    size INTEGER NOT NULL,
    digest BLOB NOT NULL
) WITHOUT ROWID;
"""
# What a person decided in a review, set by set, so that a long one can be closed and continued. A set is known by
# the contents of all its files; where they lie tells only which of several identical files was meant.
_M006 = """
CREATE TABLE decisions (
    content BLOB PRIMARY KEY,        -- SHA-256 of the digests of all files of the set, in order
    decided_at TEXT NOT NULL,
    seen INTEGER NOT NULL            -- 0 where the set was changed together with others and not looked at itself
) WITHOUT ROWID;
CREATE TABLE decision_files (
    content BLOB NOT NULL REFERENCES decisions(content) ON DELETE CASCADE,
    number INTEGER NOT NULL,         -- of the file in its set
    digest BLOB NOT NULL,
    folder NOT NULL,                 -- the folder's absolute path then; TEXT, or BLOB where not Unicode
    path NOT NULL,                   -- relative to it, in the same way
    role TEXT NOT NULL CHECK (role IN ('keeper', 'stays', 'removed')),
    PRIMARY KEY (content, number)
) WITHOUT ROWID;
CREATE INDEX verdict_members_by_digest ON verdict_members(digest);
"""

MIGRATIONS = (_M001, _M002, _M003, _M004, _M005, _M006)


def version_of(connection: sqlite3.Connection) -> int:
    """The version of our tables in a database, 0 where there are none; another program's number is not ours."""
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        return 0
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to the newest version, one transaction per migration."""
    for number in range(version_of(connection), len(MIGRATIONS)):
        script = "\n".join(line.partition("--")[0] for line in MIGRATIONS[number].splitlines())
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            # Another process may have done this migration while this one waited.
            if version_of(connection) > number:
                continue
            for statement in script.split(";"):
                if statement.strip():
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number + 1}")
