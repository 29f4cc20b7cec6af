-- Migration 1 (Postgres 14 or newer): the tables of the transactional outbox.
-- Safe to run with any migration tool, once, in one transaction; every object is created in the first
-- schema of the search path and nothing outside of it is touched.

-- A row here is a message that is still to be delivered; a delivered one is deleted.
--
-- This is the one table that business transactions write to, so it pays for nothing it can do without:
-- no CHECK, no trigger, no generated column, and one index beyond the primary key, which is partial and
-- so costs a message that is due at once nothing. The library checks what it writes; foreign code
-- writes with a plain INSERT of topic, key and payload, or with outbox_publish() below, which checks.
CREATE TABLE outbox (
    -- ALWAYS: an id that a writer chose could collide with one of the sequence later, or lie where the
    -- relay no longer looks first. CACHE 1: with cached blocks the ids of one key's messages would not
    -- follow the order in which they were written.
    id          bigint      GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,
    -- The identity that consumers see. No index: nothing on the way looks a pending message up by it.
    message_id  uuid        NOT NULL DEFAULT gen_random_uuid(),
    -- 0 to 63, see outbox_shard_of(). 0 is correct for any message, only less parallel; but all messages
    -- of one topic and key must agree on it.
    shard       smallint    NOT NULL DEFAULT 0,
    topic       text        NOT NULL,
    -- NULL: the message has no place in any order.
    message_key text,
    payload     bytea       NOT NULL,
    -- A flat JSON object. json and not jsonb: it is stored and handed on, never searched.
    headers     json        NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- NULL: at once. Set for a delayed message, and always where hold is not 0.
    due_at      timestamptz,
    -- 0: none; 1: waits for a retry; 2: blocked until an operator decides.
    hold        smallint    NOT NULL DEFAULT 0,
    attempts    integer     NOT NULL DEFAULT 0,
    last_error  text
);

CREATE INDEX outbox_due ON outbox (due_at, id) WHERE due_at IS NOT NULL;

-- Dead letters: messages whose attempts are spent, that can't be read, or whose key is parked.
-- Topic, key, shard and attempts are unchecked on purpose: whatever foreign code put into the outbox
-- must be buriable, or one bad row would stay in the relay's way for ever.
CREATE TABLE outbox_dead (
    -- The id it had in the outbox. A redrive gives it back, so it takes its old place in its key's order.
    id          bigint      PRIMARY KEY,
    message_id  uuid        NOT NULL,
    shard       smallint    NOT NULL,
    topic       text        NOT NULL,
    message_key text,
    payload     bytea       NOT NULL,
    headers     json        NOT NULL,
    created_at  timestamptz NOT NULL,
    attempts    integer     NOT NULL,
    last_error  text,
    -- skipped: attempts spent or refused for good; parked: it or an earlier one of its key was, and the
    -- key waits for an operator; invalid: the stored row is no message; unconfirmed: it was
    -- delivered as often as its sender allows, and not all who should have confirmed it did.
    reason      text        NOT NULL CHECK (reason IN ('skipped', 'parked', 'invalid', 'unconfirmed')),
    died_at     timestamptz NOT NULL DEFAULT now()
);

-- For the list by topic and key, and for the redrive of a whole key in order.
CREATE INDEX outbox_dead_key ON outbox_dead (topic, message_key, id);
-- For operators, who know a message by the id that consumers and logs show. Not unique: what foreign code
-- published twice under one id must be buriable twice.
CREATE INDEX outbox_dead_message_id ON outbox_dead (message_id);
-- For retention.
CREATE INDEX outbox_dead_died_at ON outbox_dead (died_at);

-- Keys that wait for an operator: all their messages go to the dead letters until the key is redriven.
CREATE TABLE outbox_parked (
    topic       text        NOT NULL,
    message_key text        NOT NULL,
    shard       smallint    NOT NULL CHECK (shard BETWEEN 0 AND 63),
    parked_at   timestamptz NOT NULL DEFAULT now(),
    error       text,
    PRIMARY KEY (topic, message_key)
);

-- Messages that an operator gave up, and why. Without payload: what was discarded may have been a secret.
CREATE TABLE outbox_discarded (
    id           bigint      PRIMARY KEY,
    message_id   uuid        NOT NULL,
    topic        text        NOT NULL,
    message_key  text,
    created_at   timestamptz NOT NULL,
    attempts     integer     NOT NULL,
    last_error   text,
    reason       text        NOT NULL CHECK (reason <> ''),
    -- The database user, unless the operator's tool says better.
    discarded_by text        NOT NULL DEFAULT current_user,
    discarded_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX outbox_discarded_at ON outbox_discarded (discarded_at);

-- Delivered messages, where the relay is configured to keep them for a while.
CREATE TABLE outbox_archive (
    id           bigint      PRIMARY KEY,
    message_id   uuid        NOT NULL,
    shard        smallint    NOT NULL,
    topic        text        NOT NULL,
    message_key  text,
    payload      bytea       NOT NULL,
    headers      json        NOT NULL,
    created_at   timestamptz NOT NULL,
    attempts     integer     NOT NULL,
    delivered_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX outbox_archive_delivered_at ON outbox_archive (delivered_at);

-- Which relay owns which shard, and until when by this database's clock.
CREATE TABLE outbox_shard (
    shard       smallint    PRIMARY KEY CHECK (shard BETWEEN 0 AND 63),
    owner       text,
    -- Grows with each change of owner; a settlement that carries an older one changes nothing.
    epoch       bigint      NOT NULL DEFAULT 0 CHECK (epoch >= 0),
    lease_until timestamptz,
    -- Set by a redrive: the owner reads again from this id, because a row came back below its floor.
    rewind_to   bigint,
    CHECK ((owner IS NULL) = (lease_until IS NULL))
);

INSERT INTO outbox_shard (shard) SELECT generate_series(0, 63);

-- The relays that are alive, also those that own no shard: they are counted in the fair share.
CREATE TABLE outbox_relay (
    relay      text        PRIMARY KEY,
    seen_until timestamptz NOT NULL
);

-- Which migrations this database has had, whichever tool ran them.
CREATE TABLE outbox_schema (
    version      integer     PRIMARY KEY CHECK (version > 0),
    installed_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO outbox_schema (version) VALUES (1);

-- Every message with its state, for people.
CREATE VIEW outbox_status AS
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
    SELECT id, message_id, topic, message_key, 'delivered',
           attempts, NULL, created_at, NULL, delivered_at
      FROM outbox_archive;

-- The shard of a message: first 16 bits of md5(topic, 0x1F, key), or of the message id's bytes where
-- there is no key, modulo 64. Over UTF-8 bytes whatever the database's encoding is, because programs
-- compute the same.
CREATE FUNCTION outbox_shard_of(topic text, message_key text, message_id uuid) RETURNS smallint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (('x' || substr(md5(
    CASE WHEN message_key IS NULL THEN uuid_send(message_id)
         ELSE convert_to(topic || E'\x1f' || message_key, 'UTF8')
    END), 1, 4))::bit(16)::integer % 64)::smallint;

-- What the ordered publish locks for a key, until the transaction ends. A seed of our own keeps it apart
-- from an application's own locks on the hash of the same text.
CREATE FUNCTION outbox_key_hash(topic text, message_key text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hashtextextended(topic || E'\x1f' || message_key, 7227467266);

-- Publishes a message as part of the caller's transaction, for programs without the library. Same limits,
-- same shard. Returns the message id. Writers of one key that have no row of their own to lock call
-- pg_advisory_xact_lock(outbox_key_hash(topic, key)) first, and their messages keep their commits' order.
-- FROM CURRENT: it finds its tables whatever search path its caller has.
CREATE FUNCTION outbox_publish(
    topic       text,
    message_key text,
    payload     bytea,
    headers     json     DEFAULT '{}',
    delay       interval DEFAULT NULL,
    message_id  uuid     DEFAULT NULL
) RETURNS uuid
LANGUAGE plpgsql
SET search_path FROM CURRENT
AS $$
DECLARE
    new_id uuid := coalesce(outbox_publish.message_id, gen_random_uuid());
    bad    text;
BEGIN
    IF topic IS NULL OR topic = '' THEN
        RAISE EXCEPTION 'outbox: the topic is empty' USING ERRCODE = 'invalid_parameter_value';
    ELSIF octet_length(convert_to(topic, 'UTF8')) > 255 THEN
        RAISE EXCEPTION 'outbox: the topic has % bytes, at most 255 are allowed', octet_length(convert_to(topic, 'UTF8'))
            USING ERRCODE = 'invalid_parameter_value';
    ELSIF topic !~ '^[A-Za-z0-9._:/-]+$' THEN
        RAISE EXCEPTION 'outbox: the topic % may hold only ASCII letters, digits and . _ - : /', quote_literal(topic)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;

    IF message_key = '' THEN
        RAISE EXCEPTION 'outbox: the ordering key is empty' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Pass NULL for a message without order.';
    ELSIF octet_length(convert_to(message_key, 'UTF8')) > 255 THEN
        RAISE EXCEPTION 'outbox: the ordering key has % bytes, at most 255 are allowed',
            octet_length(convert_to(message_key, 'UTF8'))
            USING ERRCODE = 'invalid_parameter_value';
    ELSIF message_key ~ '[\u0001-\u001f\u007f-\u009f]' THEN
        RAISE EXCEPTION 'outbox: the ordering key holds a control character'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;

    IF payload IS NULL THEN
        RAISE EXCEPTION 'outbox: the payload is NULL' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Pass an empty payload for a message without content.';
    ELSIF octet_length(payload) > 1048576 THEN
        RAISE EXCEPTION 'outbox: the payload has % bytes, at most 1048576 are allowed', octet_length(payload)
            USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Put large content elsewhere and send a reference.';
    END IF;

    headers := coalesce(headers, '{}');
    IF json_typeof(headers) <> 'object' THEN
        RAISE EXCEPTION 'outbox: the headers are not a JSON object' USING ERRCODE = 'invalid_parameter_value';
    ELSIF headers::text <> '{}' THEN
        IF (SELECT count(*) FROM json_object_keys(headers)) > 64 THEN
            RAISE EXCEPTION 'outbox: there are more than 64 headers' USING ERRCODE = 'invalid_parameter_value';
        ELSIF (SELECT coalesce(sum(octet_length(h.key) + octet_length(coalesce(h.value, ''))), 0)
                 FROM json_each_text(headers) h) > 16384 THEN
            RAISE EXCEPTION 'outbox: the headers have more than 16384 bytes'
                USING ERRCODE = 'invalid_parameter_value';
        END IF;
        SELECT h.key INTO bad
          FROM json_each(headers) h
         WHERE h.key !~ '^[A-Za-z0-9._-]{1,128}$'
            OR json_typeof(h.value) IN ('object', 'array')
            OR h.value #>> '{}' ~ '[\u0001-\u001f\u007f-\u009f]'
         LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'outbox: the header % is invalid', quote_literal(bad)
                USING ERRCODE = 'invalid_parameter_value',
                HINT = 'Names hold ASCII letters, digits and - _ . (at most 128); values are flat text without control characters.';
        END IF;
    END IF;

    IF delay < interval '0' THEN
        RAISE EXCEPTION 'outbox: the delay % is negative', delay USING ERRCODE = 'invalid_parameter_value';
    END IF;

    INSERT INTO outbox (message_id, shard, topic, message_key, payload, headers, due_at)
    VALUES (new_id, outbox_shard_of(topic, message_key, new_id), topic, message_key, payload, headers,
            clock_timestamp() + delay);
    RETURN new_id;
END
$$;

-- The same for text, stored as UTF-8. An untyped literal or parameter means this one; bytes need a cast
-- to bytea.
CREATE FUNCTION outbox_publish(
    topic text, message_key text, payload text,
    headers json DEFAULT '{}', delay interval DEFAULT NULL, message_id uuid DEFAULT NULL
) RETURNS uuid
LANGUAGE sql
SET search_path FROM CURRENT
AS $$ SELECT outbox_publish(topic, message_key, convert_to(payload, 'UTF8'), headers, delay, message_id) $$;

-- The same for a JSON document.
CREATE FUNCTION outbox_publish(
    topic text, message_key text, payload json,
    headers json DEFAULT '{}', delay interval DEFAULT NULL, message_id uuid DEFAULT NULL
) RETURNS uuid
LANGUAGE sql
SET search_path FROM CURRENT
AS $$ SELECT outbox_publish(topic, message_key, convert_to(payload::text, 'UTF8'), headers, delay, message_id) $$;

CREATE FUNCTION outbox_publish(
    topic text, message_key text, payload jsonb,
    headers json DEFAULT '{}', delay interval DEFAULT NULL, message_id uuid DEFAULT NULL
) RETURNS uuid
LANGUAGE sql
SET search_path FROM CURRENT
AS $$ SELECT outbox_publish(topic, message_key, convert_to(payload::text, 'UTF8'), headers, delay, message_id) $$;
