-- Removes notes of discarded messages older than $1 microseconds. Safe: finished rows only, at most $2 of them.
DELETE FROM outbox_discarded
 WHERE id IN (SELECT id FROM outbox_discarded
               WHERE discarded_at < CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000 - $1
               ORDER BY discarded_at
               LIMIT $2)
