-- Nothing was done: the key is free again. Safe: of the holder's own row only, by its epoch.
DELETE FROM idempotency_ledger WHERE scope = $1 AND idempotency_key = $2 AND epoch = $3 AND state = 1
