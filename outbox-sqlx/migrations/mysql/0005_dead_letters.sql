-- Migration 5 (MySQL 8.0.17 or newer, MariaDB 10.11 or newer): what operators did with dead letters, and why.
-- Safe to run with any migration tool, and safe to run again: DDL commits by itself here, so a run that was
-- interrupted is simply repeated.

-- What was done with messages that had died or were blocked: one row for each message, written in the transaction that did
-- it. Never with the payload: what was given up may have been a secret. No foreign key: it outlives what it tells of.
CREATE TABLE IF NOT EXISTS outbox_audit (
    id          BIGINT       NOT NULL AUTO_INCREMENT,
    done_at     DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    done_by     VARCHAR(255) NOT NULL CHECK (done_by <> ''),
    action      VARCHAR(16)  NOT NULL CHECK (action IN ('redriven', 'discarded', 'unblocked')),
    -- outbox, or group: and the name of a consumer group.
    source      VARCHAR(300) NOT NULL,
    message_id  BINARY(16)   NOT NULL,
    topic       VARCHAR(255) NOT NULL,
    message_key VARCHAR(255),
    -- What it had behind it.
    attempts    INT          NOT NULL,
    last_error  TEXT,
    -- Why. NULL where none is asked for.
    reason      TEXT         CHECK (reason <> ''),
    PRIMARY KEY (id),
    -- For operators, who know a message by the id that consumers and logs show; and for retention.
    KEY outbox_audit_message_id (message_id),
    KEY outbox_audit_done_at (done_at),
    CHECK (source = 'outbox' OR source LIKE 'group:%'),
    CHECK (action <> 'discarded' OR reason IS NOT NULL)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- Last, because it says that all of the above is there.
INSERT IGNORE INTO outbox_schema (version) VALUES (5);
