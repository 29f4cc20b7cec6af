-- Claims a key: a row is written if it is the first. Safe: who decides is the unique index, and there is one writer.
INSERT INTO idempotency_ledger (scope, idempotency_key, fingerprint, expires_at)
VALUES (?1, ?2, ?3, CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000 + ?4)
ON CONFLICT DO NOTHING
