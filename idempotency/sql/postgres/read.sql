-- What stands there for a key that could not be claimed. Safe: it is committed by now, and each statement sees what was
-- committed when it began. The lock timeout is put back, unless an expired row is still to be taken over.
SELECT fingerprint, state <> 0, expires_at <= now(), answer,
       CASE WHEN expires_at > now() THEN set_config('lock_timeout', current_setting('idempotency.lock_timeout'), true) END
  FROM idempotency_ledger
 WHERE scope = $1 AND idempotency_key = $2
