-- The journal: which messages belong to an order, and who has handled them. Safe to run again: DDL commits by itself
-- here, so a run that was interrupted is repeated.

CREATE TABLE IF NOT EXISTS journal_sent (
    seq BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    message_id BINARY(16) NOT NULL,
    order_id BINARY(16) NOT NULL,
    sub_order_id BINARY(16),
    topic VARCHAR(100) NOT NULL,
    -- What it says, in a word; and the trace it belongs to.
    name VARCHAR(100) NOT NULL,
    trace_id VARCHAR(100),
    sent_at DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    UNIQUE (message_id),
    KEY journal_sent_order (order_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS journal_handled (
    seq BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    message_id BINARY(16) NOT NULL,
    group_name VARCHAR(100) NOT NULL,
    attempt BIGINT NOT NULL,
    handled_at DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    UNIQUE (message_id, group_name)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;
