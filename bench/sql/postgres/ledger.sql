INSERT INTO idempotency_ledger (scope, idempotency_key, expires_at) VALUES ($1, $2, now() + interval '45 days')
