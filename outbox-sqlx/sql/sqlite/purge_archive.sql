-- Removes delivered messages older than $1 microseconds. Safe: finished rows only, at most $2 of them.
DELETE FROM outbox_archive
 WHERE id IN (SELECT id FROM outbox_archive
               WHERE delivered_at < CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000 - $1
               ORDER BY delivered_at
               LIMIT $2)
