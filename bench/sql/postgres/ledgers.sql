INSERT INTO idempotency_ledger (scope, idempotency_key, expires_at)
SELECT $1, key, now() + interval '45 days' FROM unnest($2::text[]) AS key
