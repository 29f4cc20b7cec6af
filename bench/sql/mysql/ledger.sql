INSERT INTO idempotency_ledger (scope, idempotency_key, expires_at) VALUES (?, ?, UTC_TIMESTAMP(6) + INTERVAL 45 DAY)
