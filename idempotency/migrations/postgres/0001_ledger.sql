-- Migration 1 (Postgres 14 or newer): the ledger of what was done, and the namespace of its marks.
-- Safe to run with any migration tool, once, in one transaction; it touches no table that was there before.

-- A row says that its key's effect is in the transaction that wrote the row. Not partitioned: a unique index that is
-- partitioned by time does not find duplicates across the boundary.
CREATE TABLE idempotency_ledger (
    -- Who asks: a consumer group, a caller. Keys of two scopes are never the same.
    scope           text COLLATE "C" NOT NULL CHECK (octet_length(scope) BETWEEN 1 AND 200),
    idempotency_key text COLLATE "C" NOT NULL CHECK (octet_length(idempotency_key) BETWEEN 1 AND 255),
    -- SHA-256 of what was asked for, where it is compared.
    fingerprint     bytea       CHECK (octet_length(fingerprint) = 32),
    -- 0: done. 1: in flight, by a holder that does not keep one transaction open; 0 is all that transactions write.
    state           smallint    NOT NULL DEFAULT 0 CHECK (state IN (0, 1)),
    -- Of a row in flight: until when it is its holder's, and which of the holders it is.
    held_until      timestamptz,
    epoch           bigint      NOT NULL DEFAULT 0,
    claimed_at      timestamptz NOT NULL DEFAULT now(),
    -- From then on the row counts as not there.
    expires_at      timestamptz NOT NULL,
    -- What is answered to duplicates, where it is to be.
    answer          bytea,
    PRIMARY KEY (scope, idempotency_key)
);

CREATE INDEX idempotency_ledger_expires_at ON idempotency_ledger (expires_at);

-- One row: what the lock's keys begin with, so that marks of another database mean nothing here.
CREATE TABLE idempotency_namespace (
    id        integer PRIMARY KEY CHECK (id = 1),
    namespace uuid    NOT NULL
);

CREATE TABLE idempotency_schema (
    version      integer     PRIMARY KEY CHECK (version > 0),
    installed_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO idempotency_schema (version) VALUES (1);
