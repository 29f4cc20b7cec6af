-- Claims the keys of the JSON array ?2; answers those that are the first. Safe: who decides is the unique index.
INSERT INTO idempotency_ledger (scope, idempotency_key, expires_at)
SELECT ?1, value, CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000 + ?3 FROM json_each(?2) WHERE true
ON CONFLICT DO NOTHING
RETURNING idempotency_key
