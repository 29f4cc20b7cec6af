-- Migration 1 (MySQL 8.0.17 or newer, MariaDB 10.11 or newer): the tables of the transactional outbox.
--
-- Safe to run with any migration tool, and safe to run again: DDL commits by itself here, so a run that was
-- interrupted is simply repeated. The command line client needs a delimiter that does not occur in the file, for
-- the procedures at its end: mysql --delimiter=// shop < 0001_outbox.sql
--
-- Times are in UTC, whatever the session's time zone is; message ids are the 16 bytes of a UUID. Texts compare by
-- their bytes, and trailing spaces count: MySQL and MariaDB each have a collation for that, under different names,
-- and each reads only its own of the two comments.

-- A row here is a message that is still to be delivered; a delivered one is deleted.
--
-- This is the one table that business transactions write to, so it pays for nothing it can do without: no CHECK, no
-- trigger, no generated column, and one index beyond the primary key. (That one can't be partial here, so every
-- message pays for an entry in it.) The library checks what it writes; foreign code writes with a plain INSERT of
-- topic, key and payload, or with outbox_publish() below, which checks.
CREATE TABLE IF NOT EXISTS outbox (
    -- Never given by a writer: one that is chosen could lie where the relay no longer looks first.
    id          BIGINT       NOT NULL AUTO_INCREMENT,
    -- The identity that consumers see. No index: nothing on the way looks a pending message up by it.
    message_id  BINARY(16)   NOT NULL DEFAULT (UNHEX(REPLACE(UUID(), '-', ''))),
    -- 0 to 63, see outbox_publish(). 0 is correct for any message, only less parallel; but all messages of one topic
    -- and key must agree on it.
    shard       SMALLINT     NOT NULL DEFAULT 0,
    topic       VARCHAR(255) NOT NULL,
    -- NULL: the message has no place in any order.
    message_key VARCHAR(255),
    payload     LONGBLOB     NOT NULL,
    -- A flat JSON object, as text: it is stored and handed on, never searched, and MariaDB's type JSON is a CHECK.
    headers     MEDIUMTEXT   NOT NULL DEFAULT ('{}'),
    created_at  DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    -- NULL: at once. Set for a delayed message, and always where hold is not 0.
    due_at      DATETIME(6),
    -- 0: none; 1: waits for a retry; 2: blocked until an operator decides.
    hold        SMALLINT     NOT NULL DEFAULT 0,
    attempts    INT          NOT NULL DEFAULT 0,
    last_error  TEXT,
    PRIMARY KEY (id),
    -- The id is part of it by itself, as the primary key is of every index.
    KEY outbox_due (due_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- Dead letters: messages whose attempts are spent, that can't be read, or whose key is parked.
-- Topic, key, shard and attempts are unchecked on purpose: whatever foreign code put into the outbox must be
-- buriable, or one bad row would stay in the relay's way for ever.
CREATE TABLE IF NOT EXISTS outbox_dead (
    -- The id it had in the outbox. A redrive gives it back, so it takes its old place in its key's order.
    id          BIGINT       NOT NULL,
    message_id  BINARY(16)   NOT NULL,
    shard       SMALLINT     NOT NULL,
    topic       VARCHAR(255) NOT NULL,
    message_key VARCHAR(255),
    payload     LONGBLOB     NOT NULL,
    headers     MEDIUMTEXT   NOT NULL,
    created_at  DATETIME(6)  NOT NULL,
    attempts    INT          NOT NULL,
    last_error  TEXT,
    -- skipped: attempts spent or refused for good; parked: it or an earlier one of its key was, and the key waits for
    -- an operator; invalid: the stored row is no message; unconfirmed: it was
    -- delivered as often as its sender allows, and not all who should have confirmed it did.
    reason      VARCHAR(16)  NOT NULL CHECK (reason IN ('skipped', 'parked', 'invalid', 'unconfirmed')),
    died_at     DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (id),
    -- For the list by topic and key, and for the redrive of a whole key in order.
    KEY outbox_dead_key (topic, message_key),
    -- For operators, who know a message by the id that consumers and logs show. Not unique: what foreign code
    -- published twice under one id must be buriable twice.
    KEY outbox_dead_message_id (message_id),
    -- For retention.
    KEY outbox_dead_died_at (died_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- Keys that wait for an operator: all their messages go to the dead letters until the key is redriven.
CREATE TABLE IF NOT EXISTS outbox_parked (
    topic       VARCHAR(255) NOT NULL,
    message_key VARCHAR(255) NOT NULL,
    shard       SMALLINT     NOT NULL CHECK (shard BETWEEN 0 AND 63),
    parked_at   DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    error       TEXT,
    PRIMARY KEY (topic, message_key)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- Messages that an operator gave up, and why. Without payload: what was discarded may have been a secret.
CREATE TABLE IF NOT EXISTS outbox_discarded (
    id           BIGINT       NOT NULL,
    message_id   BINARY(16)   NOT NULL,
    topic        VARCHAR(255) NOT NULL,
    message_key  VARCHAR(255),
    created_at   DATETIME(6)  NOT NULL,
    attempts     INT          NOT NULL,
    last_error   TEXT,
    reason       TEXT         NOT NULL CHECK (reason <> ''),
    -- The database user, unless the operator's tool says better.
    discarded_by VARCHAR(255) NOT NULL DEFAULT (CURRENT_USER()),
    discarded_at DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (id),
    KEY outbox_discarded_at (discarded_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- Delivered messages, where the relay is configured to keep them for a while.
CREATE TABLE IF NOT EXISTS outbox_archive (
    id           BIGINT       NOT NULL,
    message_id   BINARY(16)   NOT NULL,
    shard        SMALLINT     NOT NULL,
    topic        VARCHAR(255) NOT NULL,
    message_key  VARCHAR(255),
    payload      LONGBLOB     NOT NULL,
    headers      MEDIUMTEXT   NOT NULL,
    created_at   DATETIME(6)  NOT NULL,
    attempts     INT          NOT NULL,
    delivered_at DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (id),
    KEY outbox_archive_delivered_at (delivered_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- Which relay owns which shard, and until when by this database's clock.
CREATE TABLE IF NOT EXISTS outbox_shard (
    shard       SMALLINT     NOT NULL CHECK (shard BETWEEN 0 AND 63),
    owner       VARCHAR(255),
    -- Grows with each change of owner; a settlement that carries an older one changes nothing.
    epoch       BIGINT       NOT NULL DEFAULT 0 CHECK (epoch >= 0),
    lease_until DATETIME(6),
    -- Set by a redrive: the owner reads again from this id, because a row came back below its floor.
    rewind_to   BIGINT,
    PRIMARY KEY (shard),
    CHECK ((owner IS NULL) = (lease_until IS NULL))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- IGNORE, for a run that was interrupted: these rows can violate nothing but their key.
INSERT IGNORE INTO outbox_shard (shard) VALUES
    (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15),
    (16), (17), (18), (19), (20), (21), (22), (23), (24), (25), (26), (27), (28), (29), (30), (31),
    (32), (33), (34), (35), (36), (37), (38), (39), (40), (41), (42), (43), (44), (45), (46), (47),
    (48), (49), (50), (51), (52), (53), (54), (55), (56), (57), (58), (59), (60), (61), (62), (63);

-- The relays that are alive, also those that own no shard: they are counted in the fair share.
CREATE TABLE IF NOT EXISTS outbox_relay (
    relay      VARCHAR(255) NOT NULL,
    seen_until DATETIME(6)  NOT NULL,
    PRIMARY KEY (relay)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- Written to by a relay before it publishes what it has read: InnoDB shows a transaction to others before its log has
-- reached the disk, but the log is one, so a later commit that has reached it takes all earlier ones along. Several rows,
-- so that relays don't meet in one.
CREATE TABLE IF NOT EXISTS outbox_flush (
    slot    SMALLINT NOT NULL,
    flushes BIGINT   NOT NULL DEFAULT 0,
    PRIMARY KEY (slot)
) ENGINE = InnoDB;

INSERT IGNORE INTO outbox_flush (slot) SELECT shard FROM outbox_shard;

-- What an ordered publish locks for a key until the transaction ends: one of 1,024 rows, see outbox_lock_key(). They
-- are locked and never changed.
CREATE TABLE IF NOT EXISTS outbox_key_slot (
    slot SMALLINT NOT NULL,
    PRIMARY KEY (slot)
) ENGINE = InnoDB;

INSERT IGNORE INTO outbox_key_slot (slot)
SELECT a.n * 256 + b.n * 64 + c.n * 16 + d.n * 4 + e.n
  FROM (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) AS a
 CROSS JOIN (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) AS b
 CROSS JOIN (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) AS c
 CROSS JOIN (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) AS d
 CROSS JOIN (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) AS e;

-- Which migrations this database has had, whichever tool ran them.
CREATE TABLE IF NOT EXISTS outbox_schema (
    version      INT         NOT NULL CHECK (version > 0),
    installed_at DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (version)
) ENGINE = InnoDB;

-- Every message with its state, for people. Times are in UTC.
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
    SELECT id, message_id, topic, message_key, 'delivered',
           attempts, NULL, created_at, CAST(NULL AS DATETIME(6)), delivered_at
      FROM outbox_archive;

-- Locks a key until the transaction ends, so that the ids of the next inserts follow the order of the commits: for
-- writers of one key that have no row of their own to lock. The slot is the second 16 bits of md5(topic, 0x1F, key),
-- modulo 1,024; programs compute the same. Who locks several keys does it in one order, or risks a deadlock.
DROP PROCEDURE IF EXISTS outbox_lock_key;
CREATE PROCEDURE outbox_lock_key(
    topic       VARCHAR(255) CHARACTER SET utf8mb4,
    message_key VARCHAR(255) CHARACTER SET utf8mb4
)
SQL SECURITY INVOKER
BEGIN
    DECLARE locked SMALLINT;
    SELECT s.slot INTO locked
      FROM outbox_key_slot s
     WHERE s.slot = CONV(SUBSTR(MD5(CONCAT(topic, CHAR(31 USING utf8mb4), message_key)), 5, 4), 16, 10) % 1024
       FOR UPDATE;
END;

-- Publishes a message as part of the caller's transaction, for programs without the library. Same limits, same shard.
-- headers, delay (in seconds) and message_id may be NULL. A procedure, because creating a function needs a privilege
-- that few have where the binary log is on.
-- The shard: first 16 bits of md5(topic, 0x1F, key), or of the message id's bytes where there is no key, modulo 64.
-- (MySQL has MD5() built in up to 9.5. Newer ones have it in a component, which an administrator installs once:
-- INSTALL COMPONENT 'file://component_classic_hashing'. Only these two procedures need it.)
DROP PROCEDURE IF EXISTS outbox_publish;
CREATE PROCEDURE outbox_publish(
    topic       TEXT CHARACTER SET utf8mb4,
    message_key TEXT CHARACTER SET utf8mb4,
    payload     LONGBLOB,
    headers     LONGTEXT CHARACTER SET utf8mb4,
    delay       DECIMAL(20, 6),
    message_id  BINARY(16)
)
SQL SECURITY INVOKER
BEGIN
    DECLARE bad    VARCHAR(128) CHARACTER SET utf8mb4;
    DECLARE weight BIGINT;
    DECLARE digest CHAR(32) CHARACTER SET ascii;

    IF topic IS NULL OR LENGTH(topic) = 0 THEN
        SIGNAL SQLSTATE '22023' SET MESSAGE_TEXT = 'outbox: the topic is empty';
    ELSEIF LENGTH(topic) > 255 THEN
        SET bad = CONCAT('outbox: the topic has ', LENGTH(topic), ' bytes, at most 255 are allowed');
        SIGNAL SQLSTATE '22023' SET MESSAGE_TEXT = bad;
    ELSEIF NOT topic REGEXP '^[A-Za-z0-9._:/-]+\\z' THEN
        SET bad = CONCAT('outbox: the topic ', LEFT(QUOTE(topic), 30),
                         ' may hold only ASCII letters, digits and . _ - : /');
        SIGNAL SQLSTATE '22023' SET MESSAGE_TEXT = bad;
    END IF;

    IF LENGTH(message_key) = 0 THEN
        SIGNAL SQLSTATE '22023'
           SET MESSAGE_TEXT = 'outbox: the ordering key is empty; pass NULL for a message without order';
    ELSEIF LENGTH(message_key) > 255 THEN
        SET bad = CONCAT('outbox: the ordering key has ', LENGTH(message_key), ' bytes, at most 255 are allowed');
        SIGNAL SQLSTATE '22023' SET MESSAGE_TEXT = bad;
    ELSEIF message_key REGEXP '[\\x{00}-\\x{1f}\\x{7f}-\\x{9f}]' THEN
        SIGNAL SQLSTATE '22023' SET MESSAGE_TEXT = 'outbox: the ordering key holds a control character';
    END IF;

    IF payload IS NULL THEN
        SIGNAL SQLSTATE '22023'
           SET MESSAGE_TEXT = 'outbox: the payload is NULL; pass an empty one for a message without content';
    ELSEIF LENGTH(payload) > 1048576 THEN
        SET bad = CONCAT('outbox: the payload has ', LENGTH(payload),
                         ' bytes, at most 1048576 are allowed; put it elsewhere and send a reference');
        SIGNAL SQLSTATE '22023' SET MESSAGE_TEXT = bad;
    END IF;

    SET headers = COALESCE(headers, '{}');
    IF NOT JSON_VALID(headers) OR JSON_TYPE(headers) <> 'OBJECT' THEN
        SIGNAL SQLSTATE '22023' SET MESSAGE_TEXT = 'outbox: the headers are not a JSON object';
    ELSEIF JSON_LENGTH(headers) > 64 THEN
        SIGNAL SQLSTATE '22023' SET MESSAGE_TEXT = 'outbox: there are more than 64 headers';
    ELSEIF JSON_LENGTH(headers) > 0 THEN
        SET bad = (SELECT LEFT(h.name, 60)
                     FROM JSON_TABLE(JSON_KEYS(headers), '$[*]'
                                     COLUMNS (name VARCHAR(1000) CHARACTER SET utf8mb4 PATH '$')) AS h
                    WHERE h.name IS NULL OR NOT h.name REGEXP '^[A-Za-z0-9._-]{1,128}\\z'
                    LIMIT 1);
        -- Only names that passed are put into a path.
        IF bad IS NULL THEN
            SET bad = (SELECT LEFT(h.name, 60)
                         FROM JSON_TABLE(JSON_KEYS(headers), '$[*]'
                                         COLUMNS (name VARCHAR(128) CHARACTER SET utf8mb4 PATH '$')) AS h
                        WHERE JSON_TYPE(JSON_EXTRACT(headers, CONCAT('$."', h.name, '"'))) IN ('OBJECT', 'ARRAY')
                           OR JSON_UNQUOTE(JSON_EXTRACT(headers, CONCAT('$."', h.name, '"')))
                              REGEXP '[\\x{00}-\\x{1f}\\x{7f}-\\x{9f}]'
                        LIMIT 1);
        END IF;
        IF bad IS NOT NULL THEN
            SET bad = CONCAT('outbox: the header ', QUOTE(bad), ' is invalid');
            SIGNAL SQLSTATE '22023' SET MESSAGE_TEXT = bad;
        END IF;
        SET weight = (SELECT SUM(LENGTH(h.name)
                                 + LENGTH(JSON_UNQUOTE(JSON_EXTRACT(headers, CONCAT('$."', h.name, '"')))))
                        FROM JSON_TABLE(JSON_KEYS(headers), '$[*]'
                                        COLUMNS (name VARCHAR(128) CHARACTER SET utf8mb4 PATH '$')) AS h);
        IF weight > 16384 THEN
            SIGNAL SQLSTATE '22023' SET MESSAGE_TEXT = 'outbox: the headers have more than 16384 bytes';
        END IF;
    END IF;

    IF delay < 0 THEN
        SET bad = CONCAT('outbox: the delay ', delay, ' is negative');
        SIGNAL SQLSTATE '22023' SET MESSAGE_TEXT = bad;
    END IF;

    SET message_id = COALESCE(message_id, UNHEX(REPLACE(UUID(), '-', '')));
    SET digest = CASE WHEN message_key IS NULL THEN MD5(message_id)
                      ELSE MD5(CONCAT(topic, CHAR(31 USING utf8mb4), message_key))
                 END;
    INSERT INTO outbox (message_id, shard, topic, message_key, payload, headers, due_at)
    VALUES (message_id, CONV(LEFT(digest, 4), 16, 10) % 64, topic, message_key, payload, headers,
            UTC_TIMESTAMP(6) + INTERVAL delay SECOND);
END;

-- Last, because it says that all of the above is there.
INSERT IGNORE INTO outbox_schema (version) VALUES (1);
