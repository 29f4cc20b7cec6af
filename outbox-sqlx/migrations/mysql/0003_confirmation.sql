-- Migration 3 (MySQL 8.0.17 or newer, MariaDB 10.11 or newer): confirmations: messages that wait for them, and those that came.
-- Safe to run with any migration tool, and safe to run again: DDL commits by itself here, so a run that was
-- interrupted is simply repeated.

-- Delivered messages whose senders want to hear that they were handled. A row goes when enough of the groups have confirmed,
-- back into the outbox when its deadline passed, and to the dead letters when that happened too often. It holds nothing
-- back: its key went on when it was delivered.
CREATE TABLE IF NOT EXISTS outbox_awaiting (
    -- The id it had in the outbox, which it gets back when it is sent again.
    id             BIGINT       NOT NULL,
    message_id     BINARY(16)   NOT NULL,
    shard          SMALLINT     NOT NULL,
    topic          VARCHAR(255) NOT NULL,
    message_key    VARCHAR(255),
    payload        LONGBLOB     NOT NULL,
    headers        MEDIUMTEXT   NOT NULL,
    created_at     DATETIME(6)  NOT NULL,
    attempts       INT          NOT NULL,
    -- The consumer groups that are asked, as a JSON array; and how many of them are enough.
    confirm_groups TEXT         NOT NULL,
    at_least       INT          NOT NULL CHECK (at_least > 0),
    -- How often it was sent again, and how often it may be.
    resends        INT          NOT NULL DEFAULT 0 CHECK (resends >= 0),
    max_resends    INT          NOT NULL CHECK (max_resends >= 0),
    -- When it was delivered for the first time.
    since          DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    deadline_at    DATETIME(6)  NOT NULL,
    PRIMARY KEY (id),
    -- For the sweep.
    KEY outbox_awaiting_deadline (deadline_at),
    -- For the confirmations that come. Not unique: what foreign code published twice under one id must be able to wait
    -- twice.
    KEY outbox_awaiting_message_id (message_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- Which group has handled which message. A confirmation may come before its message waits here, and more than once, and
-- after the sender gave up: so it refers to nothing.
CREATE TABLE IF NOT EXISTS outbox_confirmation (
    message_id   BINARY(16)   NOT NULL,
    group_name   VARCHAR(255) NOT NULL CHECK (group_name <> ''),
    confirmed_at DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (message_id, group_name),
    -- For retention.
    KEY outbox_confirmation_confirmed_at (confirmed_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- Every message with its state, for people. A message that waits, or that was given up for want of confirmations, may be
-- in the archive too, as it was delivered; it is shown once.
CREATE OR REPLACE SQL SECURITY INVOKER VIEW outbox_status AS
    SELECT o.id, o.message_id, o.topic, o.message_key,
           CASE WHEN p.topic IS NOT NULL THEN 'parked'
                WHEN o.hold = 2 THEN 'blocked'
                WHEN o.hold = 1 THEN 'retrying'
                WHEN o.due_at > UTC_TIMESTAMP(6) THEN 'delayed'
                ELSE 'pending'
           END AS state,
           o.attempts, o.last_error, o.created_at, o.due_at, CAST(NULL AS DATETIME(6)) AS settled_at
      FROM outbox o
      LEFT JOIN outbox_parked p ON p.topic = o.topic AND p.message_key = o.message_key
    UNION ALL
    SELECT d.id, d.message_id, d.topic, d.message_key,
           CASE WHEN p.topic IS NOT NULL THEN 'parked' ELSE 'dead' END,
           d.attempts, d.last_error, d.created_at, CAST(NULL AS DATETIME(6)), d.died_at
      FROM outbox_dead d
      LEFT JOIN outbox_parked p ON p.topic = d.topic AND p.message_key = d.message_key
    UNION ALL
    SELECT id, message_id, topic, message_key, 'discarded',
           attempts, last_error, created_at, CAST(NULL AS DATETIME(6)), discarded_at
      FROM outbox_discarded
    UNION ALL
    SELECT a.id, a.message_id, a.topic, a.message_key, 'awaiting',
           a.attempts, NULL, a.created_at, a.deadline_at, CAST(NULL AS DATETIME(6))
      FROM outbox_awaiting a
    UNION ALL
    SELECT h.id, h.message_id, h.topic, h.message_key, 'delivered',
           h.attempts, NULL, h.created_at, CAST(NULL AS DATETIME(6)), h.delivered_at
      FROM outbox_archive h
     WHERE NOT EXISTS (SELECT 1 FROM outbox_awaiting a WHERE a.id = h.id)
       AND NOT EXISTS (SELECT 1 FROM outbox_dead d WHERE d.id = h.id)
       AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.id = h.id);

-- Last, because it says that all of the above is there.
INSERT IGNORE INTO outbox_schema (version) VALUES (3);
