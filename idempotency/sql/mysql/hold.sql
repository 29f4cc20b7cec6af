-- Claims a key for a holder that does not keep a transaction open: refused (error 1062) if it is not the first. Safe: who
-- decides is the unique index; the epoch is random, so that a holder of long ago does not take this row for its own.
INSERT INTO idempotency_ledger (scope, idempotency_key, fingerprint, state, held_until, expires_at, epoch)
VALUES (?, ?, ?, 1, UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND, UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND, ?)
