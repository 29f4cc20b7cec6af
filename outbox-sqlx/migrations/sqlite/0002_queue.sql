-- Migration 2 (SQLite 3.37 or newer): the durable queue, with topics, consumer groups, retries and dead letters.
-- Safe to run with any migration tool, once, in one transaction; it touches no table that was there before, but for
-- the schema's version. Times are microseconds since the Unix epoch.

CREATE TABLE outbox_topic (
    id             INTEGER     PRIMARY KEY AUTOINCREMENT,
    name           TEXT        NOT NULL UNIQUE CHECK (name <> ''),
    -- How many queues it was created with: which queue a key is in depends on it for ever.
    initial_queues INTEGER     NOT NULL CHECK (initial_queues BETWEEN 1 AND 1024),
    -- How long messages are kept at least, in microseconds; NULL: as the retention job says.
    retention      INTEGER      CHECK (retention >= 0),
    created_at     INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000)
) STRICT;

-- A queue is an ordered part of a topic. Appending locks its row to the end of the transaction, so the order of the
-- offsets is the order of the commits, and they are dense: whoever sees one sees all below it.
CREATE TABLE outbox_queue (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    topic_id     INTEGER NOT NULL REFERENCES outbox_topic (id),
    number       INTEGER NOT NULL CHECK (number >= 0),
    -- How many queues the topic has: appending with another number in mind is refused.
    siblings     INTEGER NOT NULL CHECK (siblings > number),
    next_offset  INTEGER  NOT NULL DEFAULT 0 CHECK (next_offset >= 0),
    -- Retention has removed what is below.
    first_offset INTEGER  NOT NULL DEFAULT 0 CHECK (first_offset BETWEEN 0 AND next_offset),
    -- The queue whose keys it has taken a part of, and the offset from which on they are here. Its own offsets begin
    -- there, so that a key's messages have growing offsets across the split.
    parent_id    INTEGER REFERENCES outbox_queue (id),
    split_offset INTEGER,
    CHECK ((parent_id IS NULL) = (split_offset IS NULL)),
    UNIQUE (topic_id, number)
) STRICT;

-- The log. No foreign key and no further index: every message pays for this table.
CREATE TABLE outbox_queue_message (
    queue_id     INTEGER     NOT NULL,
    queue_offset INTEGER      NOT NULL,
    message_id   BLOB        NOT NULL,
    message_key  TEXT,
    payload      BLOB       NOT NULL,
    headers      TEXT        NOT NULL,
    created_at   INTEGER NOT NULL,
    appended_at  INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000),
    PRIMARY KEY (queue_id, queue_offset)
) STRICT, WITHOUT ROWID;

-- Messages that are not due yet. They get their offset, and so their place in their key's order, when they are.
CREATE TABLE outbox_delayed (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    topic_id    INTEGER     NOT NULL,
    due_at      INTEGER NOT NULL,
    message_id  BLOB        NOT NULL,
    message_key TEXT,
    payload     BLOB       NOT NULL,
    headers     TEXT        NOT NULL,
    created_at  INTEGER NOT NULL,
    UNIQUE (topic_id, due_at, id)
) STRICT;

CREATE TABLE outbox_group (
    id         INTEGER     PRIMARY KEY AUTOINCREMENT,
    name       TEXT        NOT NULL UNIQUE CHECK (name <> ''),
    -- Nothing is handed out meanwhile.
    paused     INTEGER     NOT NULL DEFAULT 0,
    -- Counts what members have to know of: others that came or went, a move of its place, a redrive, a new queue.
    changes    INTEGER      NOT NULL DEFAULT 0,
    -- When it last had a member.
    seen_at    INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000),
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000)
) STRICT;

-- Who takes part. A member whose lease has run out is removed by another one, and its queues are free.
CREATE TABLE outbox_group_member (
    group_id    INTEGER     NOT NULL REFERENCES outbox_group (id) ON DELETE CASCADE,
    member      TEXT        NOT NULL,
    -- The topics it subscribes to: a JSON array of their ids.
    topics      TEXT        NOT NULL,
    lease_until INTEGER NOT NULL,
    PRIMARY KEY (group_id, member)
) STRICT;

-- How far a group is in a queue, and who may move it.
CREATE TABLE outbox_group_queue (
    group_id     INTEGER NOT NULL REFERENCES outbox_group (id) ON DELETE CASCADE,
    queue_id     INTEGER NOT NULL REFERENCES outbox_queue (id),
    -- Everything below is finished, or in outbox_group_retry.
    read_offset  INTEGER  NOT NULL CHECK (read_offset >= 0),
    -- The member that has it, while that one is in outbox_group_member.
    owner        TEXT,
    -- Grows with every new owner. What a former one writes down under an older epoch is refused.
    epoch        INTEGER  NOT NULL DEFAULT 0,
    -- How many owners died since it last got past what they had in hand, and below which offset that was.
    deaths       INTEGER NOT NULL DEFAULT 0,
    suspect_to   INTEGER  NOT NULL DEFAULT 0,
    -- It was split off, and the group has not come to the split in the queue it was split off from.
    waits        INTEGER NOT NULL DEFAULT 0,
    -- When it was put here: what died before is no longer dead to it, and comes again where it was moved back.
    placed_at    INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000),
    PRIMARY KEY (group_id, queue_id)
) STRICT;

CREATE INDEX outbox_group_queue_queue ON outbox_group_queue (queue_id);

-- Messages that failed in a group and are tried again, and those behind them of their keys; each with its content,
-- because retention may remove it from the log.
CREATE TABLE outbox_group_retry (
    group_id     INTEGER     NOT NULL REFERENCES outbox_group (id) ON DELETE CASCADE,
    queue_id     INTEGER     NOT NULL,
    queue_offset INTEGER      NOT NULL,
    message_id   BLOB        NOT NULL,
    message_key  TEXT,
    payload      BLOB       NOT NULL,
    headers      TEXT        NOT NULL,
    created_at   INTEGER NOT NULL,
    attempts     INTEGER     NOT NULL CHECK (attempts >= 0),
    -- NULL: behind an earlier one of its key.
    due_at       INTEGER,
    -- Its attempt was counted before its handler ran, and has had no outcome.
    in_trial     INTEGER     NOT NULL DEFAULT 0,
    last_error   TEXT,
    PRIMARY KEY (group_id, queue_id, queue_offset)
) STRICT;

-- Messages that a group gave up on. A redrive gives them back to their old place.
CREATE TABLE outbox_group_dead (
    group_id     INTEGER     NOT NULL REFERENCES outbox_group (id) ON DELETE CASCADE,
    queue_id     INTEGER     NOT NULL,
    queue_offset INTEGER      NOT NULL,
    message_id   BLOB        NOT NULL,
    message_key  TEXT,
    payload      BLOB       NOT NULL,
    headers      TEXT        NOT NULL,
    created_at   INTEGER NOT NULL,
    attempts     INTEGER     NOT NULL,
    last_error   TEXT,
    died_at      INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000),
    PRIMARY KEY (group_id, queue_id, queue_offset)
) STRICT;

-- For operators, who know a message by its id; and for retention.
CREATE INDEX outbox_group_dead_message_id ON outbox_group_dead (group_id, message_id);
CREATE INDEX outbox_group_dead_died_at ON outbox_group_dead (died_at);

INSERT INTO outbox_schema (version) VALUES (2);
