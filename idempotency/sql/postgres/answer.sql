-- Keeps what is answered to duplicates. Safe: of the row that this transaction has claimed.
UPDATE idempotency_ledger SET answer = $1 WHERE scope = $2 AND idempotency_key = $3
