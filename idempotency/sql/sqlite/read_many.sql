-- Which keys of the JSON array ?2 were done and are remembered. Safe: this transaction is the only writer.
SELECT idempotency_key
  FROM idempotency_ledger
 WHERE scope = ?1 AND idempotency_key IN (SELECT value FROM json_each(?2)) AND state = 0
   AND expires_at > CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000
