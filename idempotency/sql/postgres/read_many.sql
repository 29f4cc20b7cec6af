-- Which of the keys $2 were done and are remembered. Safe: reads what is committed.
SELECT idempotency_key
  FROM idempotency_ledger
 WHERE scope = $1 AND idempotency_key = ANY($2) AND state = 0 AND expires_at > now()
