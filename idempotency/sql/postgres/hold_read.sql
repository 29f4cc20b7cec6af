-- What stands there for a key that could not be claimed, and whether its holder still gives signs of life. Safe: reads only.
SELECT fingerprint, state <> 0, expires_at <= now(), coalesce(held_until > now(), false), epoch, answer
  FROM idempotency_ledger
 WHERE scope = $1 AND idempotency_key = $2
