-- A holder's sign of life. Safe: of its own row only, by its epoch.
UPDATE idempotency_ledger
   SET held_until = CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000 + ?4
 WHERE scope = ?1 AND idempotency_key = ?2 AND epoch = ?3 AND state = 1
