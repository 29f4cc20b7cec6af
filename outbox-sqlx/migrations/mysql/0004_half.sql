-- Migration 4 (MySQL 8.0.17 or newer, MariaDB 10.11 or newer): half messages: prepared, and invisible to consumers until they are committed.
-- Safe to run with any migration tool, and safe to run again: DDL commits by itself here, so a run that was
-- interrupted is simply repeated.

-- A half message: invisible to consumers until its producer, a check or an operator decides. One that has ended is
-- remembered without its content, so that a decision that is repeated or comes late is answered with what happened.
CREATE TABLE IF NOT EXISTS outbox_half (
    message_id    BINARY(16)   NOT NULL,
    topic         VARCHAR(255) NOT NULL CHECK (topic <> ''),
    message_key   VARCHAR(255),
    -- Content is let go of when it ends; the id is remembered for a while.
    payload       LONGBLOB,
    headers       MEDIUMTEXT,
    created_at    DATETIME(6)  NOT NULL,
    -- Its delay, which begins with its commit: so many microseconds, or at so many since 1970.
    due_after     BIGINT,
    due_at        BIGINT,
    state         VARCHAR(16)  NOT NULL DEFAULT 'prepared' CHECK (state IN ('prepared', 'parked', 'committed', 'rolled_back', 'discarded')),
    -- How many checks were answered.
    checks        INT          NOT NULL DEFAULT 0 CHECK (checks >= 0),
    -- Who asks after it at the moment; what is written down after the check carries it.
    claim         BINARY(16),
    prepared_at   DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    -- When it is due for a check, of a prepared one; while it is asked after, when that is given up.
    next_check_at DATETIME(6),
    last_error    TEXT,
    ended_at      DATETIME(6),
    ended_by      VARCHAR(255),
    reason        TEXT,
    PRIMARY KEY (message_id),
    KEY outbox_half_due (topic, next_check_at),
    KEY outbox_half_ended (ended_at),
    CHECK ((next_check_at IS NOT NULL) = (state = 'prepared')),
    CHECK ((ended_at IS NULL) = (state IN ('prepared', 'parked'))),
    CHECK ((payload IS NULL) = (ended_at IS NOT NULL)),
    CHECK (state <> 'discarded' OR (ended_by IS NOT NULL AND reason IS NOT NULL))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- Where local work in this database records itself, and a check that finds nothing puts a tombstone: one outcome per
-- message, so whoever is second fails.
CREATE TABLE IF NOT EXISTS outbox_half_local (
    message_id    BINARY(16)   NOT NULL,
    outcome       VARCHAR(16)  NOT NULL CHECK (outcome IN ('committed', 'rolled_back')),
    recorded_at   DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (message_id),
    KEY outbox_half_local_recorded (recorded_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- Last, because it says that all of the above is there.
INSERT IGNORE INTO outbox_schema (version) VALUES (4);
