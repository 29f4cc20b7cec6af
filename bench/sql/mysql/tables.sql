-- The benchmark's own tables, in a database that it created. Safe: run once in an empty database.

-- What the business would write.
CREATE TABLE bench_order (
    id       BIGINT       NOT NULL AUTO_INCREMENT,
    customer VARCHAR(255) NOT NULL,
    total    BIGINT       NOT NULL,
    detail   TEXT         NOT NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- The floor's message table: the outbox's columns, types and defaults, and no index but the primary key.
CREATE TABLE bench_message (
    id          BIGINT       NOT NULL AUTO_INCREMENT,
    message_id  BINARY(16)   NOT NULL,
    shard       SMALLINT     NOT NULL DEFAULT 0,
    topic       VARCHAR(255) NOT NULL,
    message_key VARCHAR(255),
    payload     LONGBLOB     NOT NULL,
    headers     MEDIUMTEXT   NOT NULL DEFAULT ('{}'),
    created_at  DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    due_at      DATETIME(6),
    hold        SMALLINT     NOT NULL DEFAULT 0,
    attempts    INT          NOT NULL DEFAULT 0,
    last_error  TEXT,
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- The same with the index that can't be partial here: every row pays for an entry in it.
CREATE TABLE bench_message_due LIKE bench_message;
ALTER TABLE bench_message_due ADD KEY bench_message_due_at (due_at);

-- The floor's log: the columns and types of the queue's log, in one sequence, and no index but the primary key.
CREATE TABLE bench_log (
    queue_offset BIGINT       NOT NULL AUTO_INCREMENT,
    queue_id     INT          NOT NULL,
    message_id   BINARY(16)   NOT NULL,
    message_key  VARCHAR(255),
    payload      LONGBLOB     NOT NULL,
    headers      MEDIUMTEXT   NOT NULL,
    created_at   DATETIME(6)  NOT NULL,
    appended_at  DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (queue_offset)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- What numbers are made of: MySQL has no generate_series.
CREATE TABLE bench_digit (n BIGINT NOT NULL, PRIMARY KEY (n)) ENGINE = InnoDB;
INSERT INTO bench_digit VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);

-- How far the floor's reader is: one row.
CREATE TABLE bench_cursor (
    reader      INT    NOT NULL,
    read_offset BIGINT NOT NULL,
    PRIMARY KEY (reader)
) ENGINE = InnoDB;
