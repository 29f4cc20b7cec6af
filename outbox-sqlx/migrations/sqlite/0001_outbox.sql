-- Migration 1 (SQLite 3.37 or newer): the tables of the transactional outbox.
-- Safe to run with any migration tool, once, in one transaction. Times are microseconds since the Unix
-- epoch, of which SQLite knows the milliseconds; message ids are the 16 bytes of a UUID. (julianday: the
-- shorter unixepoch('subsec') is NULL before 3.42, and other programs bring their own SQLite.)

-- A row here is a message that is still to be delivered; a delivered one is deleted. No CHECK, no trigger
-- and one partial index only: business transactions pay for this table.
CREATE TABLE outbox (
    -- AUTOINCREMENT: without it SQLite gives an id again once the table is empty, and a late settlement
    -- of the old message would delete the new one.
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id  BLOB    NOT NULL DEFAULT (randomblob(16)),
    -- 0 to 63. 0 is correct for any message; but all messages of one topic and key must agree on it.
    shard       INTEGER NOT NULL DEFAULT 0,
    topic       TEXT    NOT NULL,
    -- NULL: the message has no place in any order.
    message_key TEXT,
    -- ANY: other languages bind text as readily as bytes. Read it as CAST(payload AS BLOB).
    payload     ANY     NOT NULL,
    -- A flat JSON object.
    headers     TEXT    NOT NULL DEFAULT '{}',
    created_at  INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000),
    -- NULL: at once. Set for a delayed message, and always where hold is not 0.
    due_at      INTEGER,
    -- 0: none; 1: waits for a retry; 2: blocked until an operator decides.
    hold        INTEGER NOT NULL DEFAULT 0,
    attempts    INTEGER NOT NULL DEFAULT 0,
    last_error  TEXT
) STRICT;

CREATE INDEX outbox_due ON outbox (due_at, id) WHERE due_at IS NOT NULL;

-- Dead letters: messages whose attempts are spent, that can't be read, or whose key is parked.
-- Topic, key, shard and attempts are unchecked on purpose: whatever foreign code put into the outbox
-- must be buriable, or one bad row would stay in the relay's way for ever.
CREATE TABLE outbox_dead (
    -- The id it had in the outbox. A redrive gives it back, so it takes its old place in its key's order.
    id          INTEGER PRIMARY KEY,
    message_id  BLOB    NOT NULL,
    shard       INTEGER NOT NULL,
    topic       TEXT    NOT NULL,
    message_key TEXT,
    payload     ANY     NOT NULL,
    headers     TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    last_error  TEXT,
    -- skipped: attempts spent or refused for good; parked: it or an earlier one of its key was, and the
    -- key waits for an operator; invalid: the stored row is no message; unconfirmed: it was
    -- delivered as often as its sender allows, and not all who should have confirmed it did.
    reason      TEXT    NOT NULL CHECK (reason IN ('skipped', 'parked', 'invalid', 'unconfirmed')),
    died_at     INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000)
) STRICT;

-- For the list by topic and key, and for the redrive of a whole key in order.
CREATE INDEX outbox_dead_key ON outbox_dead (topic, message_key, id);
-- For operators, who know a message by the id that consumers and logs show. Not unique: what foreign code
-- published twice under one id must be buriable twice.
CREATE INDEX outbox_dead_message_id ON outbox_dead (message_id);
-- For retention.
CREATE INDEX outbox_dead_died_at ON outbox_dead (died_at);

-- Keys that wait for an operator: all their messages go to the dead letters until the key is redriven.
CREATE TABLE outbox_parked (
    topic       TEXT    NOT NULL,
    message_key TEXT    NOT NULL,
    shard       INTEGER NOT NULL CHECK (shard BETWEEN 0 AND 63),
    parked_at   INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000),
    error       TEXT,
    PRIMARY KEY (topic, message_key)
) STRICT;

-- Messages that an operator gave up, and why. Without payload: what was discarded may have been a secret.
CREATE TABLE outbox_discarded (
    id           INTEGER PRIMARY KEY,
    message_id   BLOB    NOT NULL,
    topic        TEXT    NOT NULL,
    message_key  TEXT,
    created_at   INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    last_error   TEXT,
    reason       TEXT    NOT NULL CHECK (reason <> ''),
    discarded_by TEXT    NOT NULL DEFAULT 'operator',
    discarded_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000)
) STRICT;

CREATE INDEX outbox_discarded_at ON outbox_discarded (discarded_at);

-- Delivered messages, where the relay is configured to keep them for a while.
CREATE TABLE outbox_archive (
    id           INTEGER PRIMARY KEY,
    message_id   BLOB    NOT NULL,
    shard        INTEGER NOT NULL,
    topic        TEXT    NOT NULL,
    message_key  TEXT,
    payload      ANY     NOT NULL,
    headers      TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    delivered_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000)
) STRICT;

CREATE INDEX outbox_archive_delivered_at ON outbox_archive (delivered_at);

-- Which relay owns which shard. On SQLite one process relays; its epoch still fences a former one.
CREATE TABLE outbox_shard (
    shard       INTEGER PRIMARY KEY CHECK (shard BETWEEN 0 AND 63),
    owner       TEXT,
    -- Grows with each change of owner; a settlement that carries an older one changes nothing.
    epoch       INTEGER NOT NULL DEFAULT 0 CHECK (epoch >= 0),
    lease_until INTEGER,
    -- Set by a redrive: the owner reads again from this id, because a row came back below its floor.
    rewind_to   INTEGER,
    CHECK ((owner IS NULL) = (lease_until IS NULL))
) STRICT;

WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 63)
INSERT INTO outbox_shard (shard) SELECT n FROM numbers;

-- The relays that are alive, also those that own no shard: they are counted in the fair share.
CREATE TABLE outbox_relay (
    relay      TEXT    PRIMARY KEY NOT NULL,
    seen_until INTEGER NOT NULL
) STRICT;

-- Which migrations this database has had, whichever tool ran them.
CREATE TABLE outbox_schema (
    version      INTEGER PRIMARY KEY CHECK (version > 0),
    installed_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000)
) STRICT;

INSERT INTO outbox_schema (version) VALUES (1);

-- Every message with its state, for people.
CREATE VIEW outbox_status AS
    SELECT o.id, o.message_id, o.topic, o.message_key,
           CASE WHEN p.topic IS NOT NULL THEN 'parked'
                WHEN o.hold = 2 THEN 'blocked'
                WHEN o.hold = 1 THEN 'retrying'
                WHEN o.due_at > CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000 THEN 'delayed'
                ELSE 'pending'
           END AS state,
           o.attempts, o.last_error, o.created_at, o.due_at, NULL AS settled_at
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
    SELECT id, message_id, topic, message_key, 'delivered',
           attempts, NULL, created_at, NULL, delivered_at
      FROM outbox_archive;
