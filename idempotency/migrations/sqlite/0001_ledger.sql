-- Migration 1 (SQLite 3.37 or newer): the ledger of what was done, and the namespace of its marks.
-- Safe to run with any migration tool, once, in one transaction; it touches no table that was there before. Times are
-- microseconds since the Unix epoch.

-- A row says that its key's effect is in the transaction that wrote the row.
CREATE TABLE idempotency_ledger (
    -- Who asks: a consumer group, a caller. Keys of two scopes are never the same.
    scope           TEXT    NOT NULL CHECK (length(CAST(scope AS BLOB)) BETWEEN 1 AND 200),
    idempotency_key TEXT    NOT NULL CHECK (length(CAST(idempotency_key AS BLOB)) BETWEEN 1 AND 255),
    -- SHA-256 of what was asked for, where it is compared.
    fingerprint     BLOB    CHECK (length(fingerprint) = 32),
    -- 0: done. 1: in flight, by a holder that does not keep one transaction open; 0 is all that transactions write.
    state           INTEGER NOT NULL DEFAULT 0 CHECK (state IN (0, 1)),
    -- Of a row in flight: until when it is its holder's, and which of the holders it is.
    held_until      INTEGER,
    epoch           INTEGER NOT NULL DEFAULT 0,
    claimed_at      INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000),
    -- From then on the row counts as not there.
    expires_at      INTEGER NOT NULL,
    -- What is answered to duplicates, where it is to be.
    answer          BLOB,
    PRIMARY KEY (scope, idempotency_key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_ledger_expires_at ON idempotency_ledger (expires_at);

-- One row: what the lock's keys begin with, so that marks of another database mean nothing here.
CREATE TABLE idempotency_namespace (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    namespace BLOB    NOT NULL CHECK (length(namespace) = 16)
) STRICT;

CREATE TABLE idempotency_schema (
    version      INTEGER PRIMARY KEY CHECK (version > 0),
    installed_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000)
) STRICT;

INSERT INTO idempotency_schema (version) VALUES (1);
