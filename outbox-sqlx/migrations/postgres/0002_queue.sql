-- Migration 2 (Postgres 14 or newer): the durable queue, with topics, consumer groups, retries and dead letters.
-- Safe to run with any migration tool, once, in one transaction; it touches no table that was there before, but for
-- the schema's version.

CREATE TABLE outbox_topic (
    id             integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text        NOT NULL UNIQUE CHECK (name <> ''),
    -- How many queues it was created with: which queue a key is in depends on it for ever.
    initial_queues integer     NOT NULL CHECK (initial_queues BETWEEN 1 AND 1024),
    -- How long messages are kept at least, in microseconds; NULL: as the retention job says.
    retention      bigint      CHECK (retention >= 0),
    created_at     timestamptz NOT NULL DEFAULT now()
);

-- A queue is an ordered part of a topic. Appending locks its row to the end of the transaction, so the order of the
-- offsets is the order of the commits, and they are dense: whoever sees one sees all below it.
CREATE TABLE outbox_queue (
    id           integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    topic_id     integer NOT NULL REFERENCES outbox_topic (id),
    number       integer NOT NULL CHECK (number >= 0),
    -- How many queues the topic has: appending with another number in mind is refused.
    siblings     integer NOT NULL CHECK (siblings > number),
    next_offset  bigint  NOT NULL DEFAULT 0 CHECK (next_offset >= 0),
    -- Retention has removed what is below.
    first_offset bigint  NOT NULL DEFAULT 0 CHECK (first_offset BETWEEN 0 AND next_offset),
    -- The queue whose keys it has taken a part of, and the offset from which on they are here. Its own offsets begin
    -- there, so that a key's messages have growing offsets across the split.
    parent_id    integer REFERENCES outbox_queue (id),
    split_offset bigint,
    CHECK ((parent_id IS NULL) = (split_offset IS NULL)),
    UNIQUE (topic_id, number)
) WITH (fillfactor = 20);  -- updated with every batch: room for versions of the row on its own page

-- The log. No foreign key and no further index: every message pays for this table.
CREATE TABLE outbox_queue_message (
    queue_id     integer     NOT NULL,
    queue_offset bigint      NOT NULL,
    message_id   uuid        NOT NULL,
    message_key  text,
    payload      bytea       NOT NULL,
    headers      json        NOT NULL,
    created_at   timestamptz NOT NULL,
    appended_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (queue_id, queue_offset)
);

-- Messages that are not due yet. They get their offset, and so their place in their key's order, when they are.
CREATE TABLE outbox_delayed (
    id          bigint      NOT NULL GENERATED ALWAYS AS IDENTITY (CACHE 1),
    topic_id    integer     NOT NULL,
    due_at      timestamptz NOT NULL,
    message_id  uuid        NOT NULL,
    message_key text,
    payload     bytea       NOT NULL,
    headers     json        NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (topic_id, due_at, id)
);

CREATE TABLE outbox_group (
    id         integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text        NOT NULL UNIQUE CHECK (name <> ''),
    -- Nothing is handed out meanwhile.
    paused     boolean     NOT NULL DEFAULT false,
    -- Counts what members have to know of: others that came or went, a move of its place, a redrive, a new queue.
    changes    bigint      NOT NULL DEFAULT 0,
    -- When it last had a member.
    seen_at    timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- Who takes part. A member whose lease has run out is removed by another one, and its queues are free.
CREATE TABLE outbox_group_member (
    group_id    integer     NOT NULL REFERENCES outbox_group (id) ON DELETE CASCADE,
    member      text        NOT NULL,
    -- The topics it subscribes to: a JSON array of their ids.
    topics      text        NOT NULL,
    lease_until timestamptz NOT NULL,
    PRIMARY KEY (group_id, member)
) WITH (fillfactor = 50);

-- How far a group is in a queue, and who may move it.
CREATE TABLE outbox_group_queue (
    group_id     integer NOT NULL REFERENCES outbox_group (id) ON DELETE CASCADE,
    queue_id     integer NOT NULL REFERENCES outbox_queue (id),
    -- Everything below is finished, or in outbox_group_retry.
    read_offset  bigint  NOT NULL CHECK (read_offset >= 0),
    -- The member that has it, while that one is in outbox_group_member.
    owner        text,
    -- Grows with every new owner. What a former one writes down under an older epoch is refused.
    epoch        bigint  NOT NULL DEFAULT 0,
    -- How many owners died since it last got past what they had in hand, and below which offset that was.
    deaths       integer NOT NULL DEFAULT 0,
    suspect_to   bigint  NOT NULL DEFAULT 0,
    -- It was split off, and the group has not come to the split in the queue it was split off from.
    waits        boolean NOT NULL DEFAULT false,
    -- When it was put here: what died before is no longer dead to it, and comes again where it was moved back.
    placed_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (group_id, queue_id)
) WITH (fillfactor = 20);

CREATE INDEX outbox_group_queue_queue ON outbox_group_queue (queue_id);

-- Messages that failed in a group and are tried again, and those behind them of their keys; each with its content,
-- because retention may remove it from the log.
CREATE TABLE outbox_group_retry (
    group_id     integer     NOT NULL REFERENCES outbox_group (id) ON DELETE CASCADE,
    queue_id     integer     NOT NULL,
    queue_offset bigint      NOT NULL,
    message_id   uuid        NOT NULL,
    message_key  text,
    payload      bytea       NOT NULL,
    headers      json        NOT NULL,
    created_at   timestamptz NOT NULL,
    attempts     integer     NOT NULL CHECK (attempts >= 0),
    -- NULL: behind an earlier one of its key.
    due_at       timestamptz,
    -- Its attempt was counted before its handler ran, and has had no outcome.
    in_trial     boolean     NOT NULL DEFAULT false,
    last_error   text,
    PRIMARY KEY (group_id, queue_id, queue_offset)
) WITH (fillfactor = 70);

-- Messages that a group gave up on. A redrive gives them back to their old place.
CREATE TABLE outbox_group_dead (
    group_id     integer     NOT NULL REFERENCES outbox_group (id) ON DELETE CASCADE,
    queue_id     integer     NOT NULL,
    queue_offset bigint      NOT NULL,
    message_id   uuid        NOT NULL,
    message_key  text,
    payload      bytea       NOT NULL,
    headers      json        NOT NULL,
    created_at   timestamptz NOT NULL,
    attempts     integer     NOT NULL,
    last_error   text,
    died_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (group_id, queue_id, queue_offset)
);

-- For operators, who know a message by its id; and for retention.
CREATE INDEX outbox_group_dead_message_id ON outbox_group_dead (group_id, message_id);
CREATE INDEX outbox_group_dead_died_at ON outbox_group_dead (died_at);

INSERT INTO outbox_schema (version) VALUES (2);
