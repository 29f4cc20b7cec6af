-- What stands there for a key that could not be claimed. Safe: this transaction is the only writer.
SELECT fingerprint, state <> 0, expires_at <= CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000, answer
  FROM idempotency_ledger
 WHERE scope = ?1 AND idempotency_key = ?2
