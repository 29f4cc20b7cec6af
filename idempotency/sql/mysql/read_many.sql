-- Which of the keys of the JSON array were done and are remembered. Safe: who is not found, as in an older snapshot, is asked
-- for alone.
SELECT l.idempotency_key
  FROM JSON_TABLE(?, '$[*]' COLUMNS (name VARCHAR(255) PATH '$' ERROR ON ERROR)) k
  STRAIGHT_JOIN idempotency_ledger l FORCE INDEX (PRIMARY) ON l.scope = ? AND l.idempotency_key = k.name
 WHERE l.state = 0 AND l.expires_at > UTC_TIMESTAMP(6)
