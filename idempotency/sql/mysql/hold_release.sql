-- Nothing was done: the key is free again. Safe: of the holder's own row only, by its epoch.
DELETE FROM idempotency_ledger WHERE scope = ? AND idempotency_key = ? AND epoch = ? AND state = 1
