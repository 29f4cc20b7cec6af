-- Migration 1 (Postgres 14 or newer): the ledger of what was done, and the namespace of its marks.
-- Safe to run with any migration tool, once, in one transaction; it touches no table that was there before.

-- A row says that its key's effect is in the transaction that wrote the row. Not partitioned: a unique index that is
-- partitioned by time does not find duplicates across the boundary.
CREATE TABLE idempotency_ledger (
    -- Who asks: a consumer group, a caller. Keys of two scopes are never the same.
    scope           text COLLATE "C" NOT NULL CHECK (octet_length(scope) BETWEEN 1 AND 200),
    idempotency_key text COLLATE "C" NOT NULL CHECK (octet_length(idempotency_key) BETWEEN 1 AND 255),
    -- SHA-256 of what was asked for, where it is compared.
    fingerprint     bytea       CHECK (octet_length(fingerprint) = 32),
    -- 0: done. 1: in flight, by a holder that does not keep one transaction open; 0 is all that transactions write.
    state           smallint    NOT NULL DEFAULT 0 CHECK (state IN (0, 1)),
    -- Of a row in flight: until when it is its holder's, and which of the holders it is.
    held_until      timestamptz,
    epoch           bigint      NOT NULL DEFAULT 0,
    claimed_at      timestamptz NOT NULL DEFAULT now(),
    -- From then on the row counts as not there.
    expires_at      timestamptz NOT NULL,
    -- What is answered to duplicates, where it is to be.
    answer          bytea,
    PRIMARY KEY (scope, idempotency_key)
);

CREATE INDEX idempotency_ledger_expires_at ON idempotency_ledger (expires_at);

-- Claims a key: true if it is the first; false if a row is there, for whose transaction it waits at most "wait". Who decides is
-- the unique index. A function, because a setting that it changes is put back when it ends, so that the work behind it waits
-- for locks as long as it would have without it: as statements of their own that costs a tenth of all transactions.
CREATE FUNCTION idempotency_claim(claim_scope text, claim_key text, claim_fingerprint bytea, keep bigint, wait text)
RETURNS boolean
LANGUAGE plpgsql
SET search_path FROM CURRENT
SET lock_timeout = 0
AS $$
BEGIN
    PERFORM set_config('lock_timeout', wait, true);
    INSERT INTO idempotency_ledger (scope, idempotency_key, fingerprint, expires_at)
    VALUES (claim_scope, claim_key, claim_fingerprint, now() + keep * interval '1 microsecond')
    ON CONFLICT DO NOTHING;
    RETURN FOUND;
END
$$;

-- The same for many keys of one scope; answers those that are the first.
CREATE FUNCTION idempotency_claim_many(claim_scope text, claim_keys text[], keep bigint, wait text)
RETURNS text[]
LANGUAGE plpgsql
SET search_path FROM CURRENT
SET lock_timeout = 0
AS $$
DECLARE
    claimed text[];
BEGIN
    PERFORM set_config('lock_timeout', wait, true);
    WITH inserted AS (
        INSERT INTO idempotency_ledger (scope, idempotency_key, expires_at)
        SELECT claim_scope, k, now() + keep * interval '1 microsecond' FROM unnest(claim_keys) AS k
        ON CONFLICT DO NOTHING
        RETURNING idempotency_key
    )
    SELECT coalesce(array_agg(idempotency_key), '{}') INTO claimed FROM inserted;
    RETURN claimed;
END
$$;

-- Claims a key whose row has expired, in place: true if it did; false if the row is not there or not expired any more. Under
-- the row's lock, for which it waits at most "wait".
CREATE FUNCTION idempotency_take_over(claim_scope text, claim_key text, claim_fingerprint bytea, keep bigint, wait text)
RETURNS boolean
LANGUAGE plpgsql
SET search_path FROM CURRENT
SET lock_timeout = 0
AS $$
BEGIN
    PERFORM set_config('lock_timeout', wait, true);
    UPDATE idempotency_ledger
       SET fingerprint = claim_fingerprint, claimed_at = now(), expires_at = now() + keep * interval '1 microsecond',
           answer = NULL, state = 0, held_until = NULL, epoch = epoch + 1
     WHERE scope = claim_scope AND idempotency_key = claim_key AND expires_at <= now();
    RETURN FOUND;
END
$$;

-- One row: what the lock's keys begin with, so that marks of another database mean nothing here.
CREATE TABLE idempotency_namespace (
    id        integer PRIMARY KEY CHECK (id = 1),
    namespace uuid    NOT NULL
);

CREATE TABLE idempotency_schema (
    version      integer     PRIMARY KEY CHECK (version > 0),
    installed_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO idempotency_schema (version) VALUES (1);
