-- Removes at most ?1 rows that have expired. Safe: they count as not there already.
DELETE FROM idempotency_ledger
 WHERE (scope, idempotency_key) IN (SELECT scope, idempotency_key FROM idempotency_ledger
                                     WHERE expires_at <= CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000
                                     ORDER BY expires_at
                                     LIMIT ?1)
