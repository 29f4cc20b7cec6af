-- A holder's sign of life. Safe: of its own row only, by its epoch.
UPDATE idempotency_ledger
   SET held_until = now() + $4 * interval '1 microsecond'
 WHERE scope = $1 AND idempotency_key = $2 AND epoch = $3 AND state = 1
