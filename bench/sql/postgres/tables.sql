-- The benchmark's own tables, in a database that it created. Safe: run once in an empty database.

-- What the business would write.
CREATE TABLE bench_order (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer text   NOT NULL,
    total    bigint NOT NULL,
    detail   text   NOT NULL
);

-- The floor's message table: the outbox's columns, types and defaults, and no index but the primary key.
CREATE TABLE bench_message (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id  uuid        NOT NULL,
    shard       smallint    NOT NULL DEFAULT 0,
    topic       text        NOT NULL,
    message_key text,
    payload     bytea       NOT NULL,
    headers     json        NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL DEFAULT now(),
    due_at      timestamptz,
    hold        smallint    NOT NULL DEFAULT 0,
    attempts    integer     NOT NULL DEFAULT 0,
    last_error  text
);

-- The floor's log: the columns and types of the queue's log, in one sequence, and no index but the primary key.
CREATE TABLE bench_log (
    queue_offset bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue_id     integer     NOT NULL,
    message_id   uuid        NOT NULL,
    message_key  text,
    payload      bytea       NOT NULL,
    headers      json        NOT NULL,
    created_at   timestamptz NOT NULL,
    appended_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- How far the floor's reader is: one row.
CREATE TABLE bench_cursor (
    reader      integer PRIMARY KEY,
    read_offset bigint  NOT NULL
) WITH (fillfactor = 20);
