-- Keeps what is answered to duplicates. Safe: of the row that this transaction has claimed.
UPDATE idempotency_ledger SET answer = ? WHERE scope = ? AND idempotency_key = ?
