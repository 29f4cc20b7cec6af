-- Claims a key: a row if it is the first; none if another transaction's row is there, for whose end it waits. Safe: who
-- decides is the unique index, and the work begins with the lock timeout that it had before.
INSERT INTO idempotency_ledger (scope, idempotency_key, fingerprint, expires_at)
VALUES ($1, $2, $3, now() + $4 * interval '1 microsecond')
ON CONFLICT DO NOTHING
RETURNING set_config('lock_timeout', current_setting('idempotency.lock_timeout'), true)
