-- What stands there for a key that could not be claimed, and whether its holder still gives signs of life. Safe: reads only,
-- by itself, so what is committed.
SELECT fingerprint, state <> 0, expires_at <= UTC_TIMESTAMP(6), COALESCE(held_until > UTC_TIMESTAMP(6), 0), epoch, answer
  FROM idempotency_ledger
 WHERE scope = ? AND idempotency_key = ?
