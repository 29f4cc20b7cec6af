-- Migration 3 (Postgres 14 or newer): confirmations: messages that wait for them, and those that came.
-- Safe to run with any migration tool, once, in one transaction.

-- Delivered messages whose senders want to hear that they were handled. A row goes when enough of the groups have confirmed,
-- back into the outbox when its deadline passed, and to the dead letters when that happened too often. It holds nothing
-- back: its key went on when it was delivered.
CREATE TABLE outbox_awaiting (
    -- The id it had in the outbox, which it gets back when it is sent again.
    id             bigint      PRIMARY KEY,
    message_id     uuid        NOT NULL,
    shard          smallint    NOT NULL,
    topic          text        NOT NULL,
    message_key    text,
    payload        bytea       NOT NULL,
    headers        json        NOT NULL,
    created_at     timestamptz NOT NULL,
    attempts       integer     NOT NULL,
    -- The consumer groups that are asked, as a JSON array; and how many of them are enough.
    confirm_groups json        NOT NULL,
    at_least       integer     NOT NULL CHECK (at_least > 0),
    -- How often it was sent again, and how often it may be.
    resends        integer     NOT NULL DEFAULT 0 CHECK (resends >= 0),
    max_resends    integer     NOT NULL CHECK (max_resends >= 0),
    -- When it was delivered for the first time.
    since          timestamptz NOT NULL DEFAULT now(),
    deadline_at    timestamptz NOT NULL
);

-- For the sweep.
CREATE INDEX outbox_awaiting_deadline ON outbox_awaiting (deadline_at);
-- For the confirmations that come. Not unique: what foreign code published twice under one id must be able to wait twice.
CREATE INDEX outbox_awaiting_message_id ON outbox_awaiting (message_id);

-- Which group has handled which message. A confirmation may come before its message waits here, and more than once, and
-- after the sender gave up: so it refers to nothing.
CREATE TABLE outbox_confirmation (
    message_id   uuid        NOT NULL,
    group_name   text        NOT NULL CHECK (group_name <> ''),
    confirmed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (message_id, group_name)
);

-- For retention.
CREATE INDEX outbox_confirmation_confirmed_at ON outbox_confirmation (confirmed_at);

-- Every message with its state, for people. A message that waits, or that was given up for want of confirmations, may be
-- in the archive too, as it was delivered; it is shown once.
CREATE OR REPLACE VIEW outbox_status AS
    SELECT o.id, o.message_id, o.topic, o.message_key,
           CASE WHEN p.topic IS NOT NULL THEN 'parked'
                WHEN o.hold = 2 THEN 'blocked'
                WHEN o.hold = 1 THEN 'retrying'
                WHEN o.due_at > now() THEN 'delayed'
                ELSE 'pending'
           END AS state,
           o.attempts, o.last_error, o.created_at, o.due_at, NULL::timestamptz AS settled_at
      FROM outbox o
      LEFT JOIN outbox_parked p ON p.topic = o.topic AND p.message_key = o.message_key
    UNION ALL
    SELECT d.id, d.message_id, d.topic, d.message_key,
           CASE WHEN p.topic IS NOT NULL THEN 'parked' ELSE 'dead' END,
           d.attempts, d.last_error, d.created_at, NULL, d.died_at
      FROM outbox_dead d
      LEFT JOIN outbox_parked p ON p.topic = d.topic AND p.message_key = d.message_key
    UNION ALL
    SELECT id, message_id, topic, message_key, 'discarded',
           attempts, last_error, created_at, NULL, discarded_at
      FROM outbox_discarded
    UNION ALL
    SELECT a.id, a.message_id, a.topic, a.message_key, 'awaiting',
           a.attempts, NULL, a.created_at, a.deadline_at, NULL
      FROM outbox_awaiting a
    UNION ALL
    SELECT h.id, h.message_id, h.topic, h.message_key, 'delivered',
           h.attempts, NULL, h.created_at, NULL, h.delivered_at
      FROM outbox_archive h
     WHERE NOT EXISTS (SELECT 1 FROM outbox_awaiting a WHERE a.id = h.id)
       AND NOT EXISTS (SELECT 1 FROM outbox_dead d WHERE d.id = h.id)
       AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.id = h.id);

INSERT INTO outbox_schema (version) VALUES (3);
