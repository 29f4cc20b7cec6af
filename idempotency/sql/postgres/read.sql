-- What stands there for a key that could not be claimed. Safe: it is committed by now, and each statement sees what was
-- committed when it began.
SELECT fingerprint, state <> 0, expires_at <= now(), answer
  FROM idempotency_ledger
 WHERE scope = $1 AND idempotency_key = $2
