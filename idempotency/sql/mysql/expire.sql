-- Removes rows that have expired, the oldest, as many as it is told. Safe: they count as not there already. READ COMMITTED,
-- so that only those are locked.
DELETE FROM idempotency_ledger
 WHERE expires_at <= UTC_TIMESTAMP(6)
 ORDER BY expires_at
 LIMIT ?
