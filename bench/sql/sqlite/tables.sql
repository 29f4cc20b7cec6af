-- The benchmark's own tables, in a file that it created. Safe: run once in an empty database.

-- What the business would write.
CREATE TABLE bench_order (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    customer TEXT    NOT NULL,
    total    INTEGER NOT NULL,
    detail   TEXT    NOT NULL
) STRICT;

-- The floor's message table: the outbox's columns, types and defaults, and no index but the primary key.
CREATE TABLE bench_message (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id  BLOB    NOT NULL,
    shard       INTEGER NOT NULL DEFAULT 0,
    topic       TEXT    NOT NULL,
    message_key TEXT,
    payload     ANY     NOT NULL,
    headers     TEXT    NOT NULL DEFAULT '{}',
    created_at  INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000),
    due_at      INTEGER,
    hold        INTEGER NOT NULL DEFAULT 0,
    attempts    INTEGER NOT NULL DEFAULT 0,
    last_error  TEXT
) STRICT;

-- The floor's log: the columns and types of the queue's log, in one sequence, and no index but the primary key.
CREATE TABLE bench_log (
    queue_offset INTEGER PRIMARY KEY,
    queue_id     INTEGER NOT NULL,
    message_id   BLOB    NOT NULL,
    message_key  TEXT,
    payload      BLOB    NOT NULL,
    headers      TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    appended_at  INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000)
) STRICT;

-- How far the floor's reader is: one row.
CREATE TABLE bench_cursor (
    reader      INTEGER PRIMARY KEY,
    read_offset INTEGER NOT NULL
) STRICT;
