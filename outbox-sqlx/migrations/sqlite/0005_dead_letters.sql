-- Migration 5 (SQLite 3.37 or newer): what operators did with dead letters, and why.
-- Safe to run with any migration tool, once, in one transaction.

-- What was done with messages that had died or were blocked: one row for each message, written in the transaction that did
-- it. Never with the payload: what was given up may have been a secret. No foreign key: it outlives what it tells of.
CREATE TABLE outbox_audit (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    done_at     INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000),
    done_by     TEXT    NOT NULL CHECK (done_by <> ''),
    action      TEXT    NOT NULL CHECK (action IN ('redriven', 'discarded', 'unblocked')),
    -- outbox, or group: and the name of a consumer group.
    source      TEXT    NOT NULL CHECK (source = 'outbox' OR source LIKE 'group:%'),
    message_id  BLOB    NOT NULL,
    topic       TEXT    NOT NULL,
    message_key TEXT,
    -- What it had behind it.
    attempts    INTEGER NOT NULL,
    last_error  TEXT,
    -- Why. NULL where none is asked for.
    reason      TEXT    CHECK (reason <> ''),
    CHECK (action <> 'discarded' OR reason IS NOT NULL)
) STRICT;

-- For operators, who know a message by the id that consumers and logs show; and for retention.
CREATE INDEX outbox_audit_message_id ON outbox_audit (message_id);
CREATE INDEX outbox_audit_done_at ON outbox_audit (done_at);

INSERT INTO outbox_schema (version) VALUES (5);
