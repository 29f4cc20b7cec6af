INSERT INTO idempotency_ledger (scope, idempotency_key, expires_at) VALUES (?, ?, CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000 + 3888000000000)
