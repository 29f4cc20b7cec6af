-- Migration 4 (Postgres 14 or newer): half messages: prepared, and invisible to consumers until they are committed.
-- Safe to run with any migration tool, once, in one transaction.

-- A half message: invisible to consumers until its producer, a check or an operator decides. One that has ended is
-- remembered without its content, so that a decision that is repeated or comes late is answered with what happened.
CREATE TABLE outbox_half (
    message_id    uuid         NOT NULL,
    topic         text         NOT NULL CHECK (topic <> ''),
    message_key   text,
    -- Content is let go of when it ends; the id is remembered for a while.
    payload       bytea,
    headers       json,
    created_at    timestamptz  NOT NULL,
    -- Its delay, which begins with its commit: so many microseconds, or at so many since 1970.
    due_after     bigint,
    due_at        bigint,
    state         text         NOT NULL DEFAULT 'prepared' CHECK (state IN ('prepared', 'parked', 'committed', 'rolled_back', 'discarded')),
    -- How many checks were answered.
    checks        integer      NOT NULL DEFAULT 0 CHECK (checks >= 0),
    -- Who asks after it at the moment; what is written down after the check carries it.
    claim         uuid,
    prepared_at   timestamptz  NOT NULL DEFAULT clock_timestamp(),
    -- When it is due for a check, of a prepared one; while it is asked after, when that is given up.
    next_check_at timestamptz,
    last_error    text,
    ended_at      timestamptz,
    ended_by      text,
    reason        text,
    PRIMARY KEY (message_id),
    CHECK ((next_check_at IS NOT NULL) = (state = 'prepared')),
    CHECK ((ended_at IS NULL) = (state IN ('prepared', 'parked'))),
    CHECK ((payload IS NULL) = (ended_at IS NOT NULL)),
    CHECK (state <> 'discarded' OR (ended_by IS NOT NULL AND reason IS NOT NULL))
);

CREATE INDEX outbox_half_due ON outbox_half (topic, next_check_at) WHERE next_check_at IS NOT NULL;
CREATE INDEX outbox_half_ended ON outbox_half (ended_at) WHERE ended_at IS NOT NULL;

-- Where local work in this database records itself, and a check that finds nothing puts a tombstone: one outcome per
-- message, so whoever is second fails.
CREATE TABLE outbox_half_local (
    message_id    uuid         NOT NULL,
    outcome       text         NOT NULL CHECK (outcome IN ('committed', 'rolled_back')),
    recorded_at   timestamptz  NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (message_id)
);

CREATE INDEX outbox_half_local_recorded ON outbox_half_local (recorded_at);

INSERT INTO outbox_schema (version) VALUES (4);
