-- Migration 5 (Postgres 14 or newer): what operators did with dead letters, and why.
-- Safe to run with any migration tool, once, in one transaction.

-- What was done with messages that had died or were blocked: one row for each message, written in the transaction that did
-- it. Never with the payload: what was given up may have been a secret. No foreign key: it outlives what it tells of.
CREATE TABLE outbox_audit (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    done_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_by     text        NOT NULL CHECK (done_by <> ''),
    action      text        NOT NULL CHECK (action IN ('redriven', 'discarded', 'unblocked')),
    -- outbox, or group: and the name of a consumer group.
    source      text        NOT NULL CHECK (source = 'outbox' OR source LIKE 'group:%'),
    message_id  uuid        NOT NULL,
    topic       text        NOT NULL,
    message_key text,
    -- What it had behind it.
    attempts    integer     NOT NULL,
    last_error  text,
    -- Why. NULL where none is asked for.
    reason      text        CHECK (reason <> ''),
    CHECK (action <> 'discarded' OR reason IS NOT NULL)
);

-- For operators, who know a message by the id that consumers and logs show; and for retention.
CREATE INDEX outbox_audit_message_id ON outbox_audit (message_id);
CREATE INDEX outbox_audit_done_at ON outbox_audit (done_at);

INSERT INTO outbox_schema (version) VALUES (5);
