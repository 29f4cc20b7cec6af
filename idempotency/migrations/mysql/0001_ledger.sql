-- Migration 1 (MySQL 8.0.17 or newer, MariaDB 10.11 or newer): the ledger of what was done, and the namespace of its
-- marks.
-- Safe to run with any migration tool, and safe to run again: DDL commits by itself here, so a run that was
-- interrupted is simply repeated. It touches no table that was there before. Times are in UTC.

-- A row says that its key's effect is in the transaction that wrote the row. Compared byte by byte: under another
-- collation `abc` and `ABC` would be one key.
CREATE TABLE IF NOT EXISTS idempotency_ledger (
    -- Who asks: a consumer group, a caller. Keys of two scopes are never the same.
    scope           VARCHAR(200) NOT NULL CHECK (LENGTH(scope) BETWEEN 1 AND 200),
    idempotency_key VARCHAR(255) NOT NULL CHECK (LENGTH(idempotency_key) BETWEEN 1 AND 255),
    -- SHA-256 of what was asked for, where it is compared.
    fingerprint     BINARY(32),
    -- 0: done. 1: in flight, by a holder that does not keep one transaction open; 0 is all that transactions write.
    state           SMALLINT     NOT NULL DEFAULT 0 CHECK (state IN (0, 1)),
    -- Of a row in flight: until when it is its holder's, and which of the holders it is.
    held_until      DATETIME(6),
    epoch           BIGINT       NOT NULL DEFAULT 0,
    claimed_at      DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    -- From then on the row counts as not there.
    expires_at      DATETIME(6)  NOT NULL,
    -- What is answered to duplicates, where it is to be.
    answer          LONGBLOB,
    PRIMARY KEY (scope, idempotency_key),
    KEY idempotency_ledger_expires_at (expires_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- One row: what the lock's keys begin with, so that marks of another database mean nothing here.
CREATE TABLE IF NOT EXISTS idempotency_namespace (
    id        INT        NOT NULL CHECK (id = 1),
    namespace BINARY(16) NOT NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB;

-- Written before a duplicate is told: what a commit finds written here reaches the disk with all that was committed before.
CREATE TABLE IF NOT EXISTS idempotency_flush (
    id         INT    NOT NULL CHECK (id BETWEEN 0 AND 15),
    duplicates BIGINT NOT NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB;

INSERT IGNORE INTO idempotency_flush (id, duplicates)
VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0),
       (8, 0), (9, 0), (10, 0), (11, 0), (12, 0), (13, 0), (14, 0), (15, 0);

CREATE TABLE IF NOT EXISTS idempotency_schema (
    version      INT         NOT NULL CHECK (version > 0),
    installed_at DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (version)
) ENGINE = InnoDB;

-- Last, because it says that all of the above is there.
INSERT IGNORE INTO idempotency_schema (version) VALUES (1);
