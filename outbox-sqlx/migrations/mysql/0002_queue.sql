-- Migration 2 (MySQL 8.0.17 or newer, MariaDB 10.11 or newer): the durable queue, with topics, consumer groups, retries
-- and dead letters.
--
-- Safe to run with any migration tool, and safe to run again: DDL commits by itself here, so a run that was
-- interrupted is simply repeated. It touches no table that was there before, but for the schema's version.
--
-- Times are in UTC, as in migration 1: DATETIME(6), so that people can read them and every default is the database's
-- clock; the library's statements turn them into microseconds. UTC_TIMESTAMP(6) is when a statement began, so what has to
-- be later than somebody's lock is a statement of its own.
--
-- Foreign keys are few. Here a row that refers to another one locks that one in share mode while it is inserted, so
-- there is none where a writer must not wait for what its parent is locked for: retries and dead letters are written
-- while others hold the group, and queues are added while others hold the topic.

CREATE TABLE IF NOT EXISTS outbox_topic (
    id             INT          NOT NULL AUTO_INCREMENT,
    name           VARCHAR(255) NOT NULL CHECK (name <> ''),
    -- How many queues it was created with: which queue a key is in depends on it for ever.
    initial_queues INT          NOT NULL CHECK (initial_queues BETWEEN 1 AND 1024),
    -- How long messages are kept at least, in microseconds; NULL: as the retention job says.
    retention      BIGINT       CHECK (retention >= 0),
    created_at     DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (id),
    UNIQUE KEY outbox_topic_name (name)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- A queue is an ordered part of a topic. Appending locks its row to the end of the transaction, so the order of the
-- offsets is the order of the commits, and they are dense: whoever sees one sees all below it.
CREATE TABLE IF NOT EXISTS outbox_queue (
    id           INT    NOT NULL AUTO_INCREMENT,
    topic_id     INT    NOT NULL,
    number       INT    NOT NULL CHECK (number >= 0),
    -- How many queues the topic has: appending with another number in mind is refused.
    siblings     INT    NOT NULL,
    next_offset  BIGINT NOT NULL DEFAULT 0 CHECK (next_offset >= 0),
    -- Retention has removed what is below.
    first_offset BIGINT NOT NULL DEFAULT 0,
    -- The queue whose keys it has taken a part of, and the offset from which on they are here. Its own offsets begin
    -- there, so that a key's messages have growing offsets across the split.
    parent_id    INT,
    split_offset BIGINT,
    PRIMARY KEY (id),
    UNIQUE KEY outbox_queue_number (topic_id, number),
    CHECK (siblings > number),
    CHECK (first_offset BETWEEN 0 AND next_offset),
    CHECK ((parent_id IS NULL) = (split_offset IS NULL))
) ENGINE = InnoDB;

-- The log. No foreign key and no further index: every message pays for this table. The rows lie in the order of their
-- primary key, so those of a queue lie together, and the newest at its end.
CREATE TABLE IF NOT EXISTS outbox_queue_message (
    queue_id     INT          NOT NULL,
    queue_offset BIGINT       NOT NULL,
    message_id   BINARY(16)   NOT NULL,
    message_key  VARCHAR(255),
    payload      LONGBLOB     NOT NULL,
    headers      MEDIUMTEXT   NOT NULL,
    created_at   DATETIME(6)  NOT NULL,
    appended_at  DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (queue_id, queue_offset)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- Messages that are not due yet. They get their offset, and so their place in their key's order, when they are.
CREATE TABLE IF NOT EXISTS outbox_delayed (
    id          BIGINT       NOT NULL AUTO_INCREMENT,
    topic_id    INT          NOT NULL,
    due_at      DATETIME(6)  NOT NULL,
    message_id  BINARY(16)   NOT NULL,
    message_key VARCHAR(255),
    payload     LONGBLOB     NOT NULL,
    headers     MEDIUMTEXT   NOT NULL,
    created_at  DATETIME(6)  NOT NULL,
    PRIMARY KEY (id),
    -- The id is part of it by itself, as the primary key is of every index.
    KEY outbox_delayed_due (topic_id, due_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS outbox_group (
    id         INT          NOT NULL AUTO_INCREMENT,
    name       VARCHAR(255) NOT NULL CHECK (name <> ''),
    -- Nothing is handed out meanwhile.
    paused     BOOLEAN      NOT NULL DEFAULT FALSE,
    -- Counts what members have to know of: others that came or went, a move of its place, a redrive, a new queue.
    changes    BIGINT       NOT NULL DEFAULT 0,
    -- When it last had a member.
    seen_at    DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    created_at DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (id),
    UNIQUE KEY outbox_group_name (name)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- Who takes part. A member whose lease has run out is removed by another one, and its queues are free.
CREATE TABLE IF NOT EXISTS outbox_group_member (
    group_id    INT          NOT NULL,
    member      VARCHAR(255) NOT NULL,
    -- The topics it subscribes to: a JSON array of their ids.
    topics      MEDIUMTEXT   NOT NULL,
    lease_until DATETIME(6)  NOT NULL,
    PRIMARY KEY (group_id, member),
    FOREIGN KEY (group_id) REFERENCES outbox_group (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- How far a group is in a queue, and who may move it.
CREATE TABLE IF NOT EXISTS outbox_group_queue (
    group_id    INT          NOT NULL,
    queue_id    INT          NOT NULL,
    -- Everything below is finished, or in outbox_group_retry.
    read_offset BIGINT       NOT NULL CHECK (read_offset >= 0),
    -- The member that has it, while that one is in outbox_group_member.
    owner       VARCHAR(255),
    -- Grows with every new owner. What a former one writes down under an older epoch is refused.
    epoch       BIGINT       NOT NULL DEFAULT 0,
    -- How many owners died since it last got past what they had in hand, and below which offset that was.
    deaths      INT          NOT NULL DEFAULT 0,
    suspect_to  BIGINT       NOT NULL DEFAULT 0,
    -- It was split off, and the group has not come to the split in the queue it was split off from.
    waits       BOOLEAN      NOT NULL DEFAULT FALSE,
    -- When it was put here: what died before is no longer dead to it, and comes again where it was moved back.
    placed_at   DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (group_id, queue_id),
    KEY outbox_group_queue_queue (queue_id),
    FOREIGN KEY (group_id) REFERENCES outbox_group (id) ON DELETE CASCADE,
    FOREIGN KEY (queue_id) REFERENCES outbox_queue (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- Messages that failed in a group and are tried again, and those behind them of their keys; each with its content,
-- because retention may remove it from the log.
CREATE TABLE IF NOT EXISTS outbox_group_retry (
    group_id     INT          NOT NULL,
    queue_id     INT          NOT NULL,
    queue_offset BIGINT       NOT NULL,
    message_id   BINARY(16)   NOT NULL,
    message_key  VARCHAR(255),
    payload      LONGBLOB     NOT NULL,
    headers      MEDIUMTEXT   NOT NULL,
    created_at   DATETIME(6)  NOT NULL,
    attempts     INT          NOT NULL CHECK (attempts >= 0),
    -- NULL: behind an earlier one of its key.
    due_at       DATETIME(6),
    -- Its attempt was counted before its handler ran, and has had no outcome.
    in_trial     BOOLEAN      NOT NULL DEFAULT FALSE,
    last_error   TEXT,
    PRIMARY KEY (group_id, queue_id, queue_offset)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- Messages that a group gave up on. A redrive gives them back to their old place.
CREATE TABLE IF NOT EXISTS outbox_group_dead (
    group_id     INT          NOT NULL,
    queue_id     INT          NOT NULL,
    queue_offset BIGINT       NOT NULL,
    message_id   BINARY(16)   NOT NULL,
    message_key  VARCHAR(255),
    payload      LONGBLOB     NOT NULL,
    headers      MEDIUMTEXT   NOT NULL,
    created_at   DATETIME(6)  NOT NULL,
    attempts     INT          NOT NULL,
    last_error   TEXT,
    died_at      DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (group_id, queue_id, queue_offset),
    -- For operators, who know a message by its id; and for retention.
    KEY outbox_group_dead_message_id (group_id, message_id),
    KEY outbox_group_dead_died_at (died_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- Last, because it says that all of the above is there.
INSERT IGNORE INTO outbox_schema (version) VALUES (2);
