-- Removes at most $1 rows that have expired. Safe: they count as not there already; one that is being taken over, or that
-- another process removes, is skipped.
DELETE FROM idempotency_ledger
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM idempotency_ledger
                          WHERE expires_at <= now()
                          ORDER BY expires_at
                          LIMIT $1
                            FOR UPDATE SKIP LOCKED))
