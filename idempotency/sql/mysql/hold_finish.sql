-- It is done; the answer is kept for duplicates. Safe: of the holder's own row only, by its epoch.
UPDATE idempotency_ledger
   SET state = 0, held_until = NULL, expires_at = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND, answer = ?
 WHERE scope = ? AND idempotency_key = ? AND epoch = ? AND state = 1
