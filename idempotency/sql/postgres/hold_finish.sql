-- It is done; the answer is kept for duplicates. Safe: of the holder's own row only, by its epoch.
UPDATE idempotency_ledger
   SET state = 0, held_until = NULL, expires_at = now() + $4 * interval '1 microsecond', answer = $5
 WHERE scope = $1 AND idempotency_key = $2 AND epoch = $3 AND state = 1
