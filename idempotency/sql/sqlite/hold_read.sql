-- What stands there for a key that could not be claimed, and whether its holder still gives signs of life. Safe: reads only.
SELECT fingerprint, state <> 0, expires_at <= CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000, coalesce(held_until > CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000, 0), epoch, answer
  FROM idempotency_ledger
 WHERE scope = ?1 AND idempotency_key = ?2
