-- Claims a key whose row has expired, in place. Safe: under the row's lock; who comes second finds it not expired any more.
UPDATE idempotency_ledger
   SET fingerprint = $1, claimed_at = now(), expires_at = now() + $2 * interval '1 microsecond',
       answer = NULL, state = 0, held_until = NULL, epoch = epoch + 1
 WHERE scope = $3 AND idempotency_key = $4 AND expires_at <= now()
RETURNING set_config('lock_timeout', current_setting('idempotency.lock_timeout'), true)
