-- Removes lines of the audit older than $1 microseconds. Safe: at most $2 of them; nothing depends on them.
DELETE FROM outbox_audit
 WHERE id IN (SELECT id FROM outbox_audit
               WHERE done_at < CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000 - $1
               ORDER BY done_at
               LIMIT $2)
