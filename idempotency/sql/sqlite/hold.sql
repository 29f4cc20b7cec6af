-- Claims a key for a holder that does not keep a transaction open: a row is written if it is the first. Safe: who decides is
-- the unique index; ?6 is random, so that a holder of long ago does not take this row for its own.
INSERT INTO idempotency_ledger (scope, idempotency_key, fingerprint, state, held_until, expires_at, epoch)
VALUES (?1, ?2, ?3, 1, CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000 + ?4, CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000 + ?5, ?6)
ON CONFLICT DO NOTHING
