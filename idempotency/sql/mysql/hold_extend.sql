-- A holder's sign of life. Safe: of its own row only, by its epoch.
UPDATE idempotency_ledger
   SET held_until = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND
 WHERE scope = ? AND idempotency_key = ? AND epoch = ? AND state = 1
