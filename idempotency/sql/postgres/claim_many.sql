-- Claims the keys $2; answers those that are the first. Safe: who decides is the unique index. The sum is there before
-- the lock timeout is put back, so all waiting for others is bounded.
WITH claimed AS (
    INSERT INTO idempotency_ledger (scope, idempotency_key, expires_at)
    SELECT $1, key, now() + $3 * interval '1 microsecond' FROM unnest($2) AS key
    ON CONFLICT DO NOTHING
    RETURNING idempotency_key
)
SELECT coalesce(array_agg(idempotency_key), '{}'), set_config('lock_timeout', current_setting('idempotency.lock_timeout'), true)
  FROM claimed
