-- Takes over a row that has expired, or whose holder gives no sign of life. Safe: only as it was read, by its epoch; the
-- former holder's epoch is not the row's any more.
UPDATE idempotency_ledger
   SET fingerprint = $3, state = 1, held_until = now() + $4 * interval '1 microsecond',
       expires_at = now() + $5 * interval '1 microsecond', epoch = $6, claimed_at = now(), answer = NULL
 WHERE scope = $1 AND idempotency_key = $2 AND epoch = $7
   AND (expires_at <= now() OR state = 1 AND held_until <= now())
