-- Removes lines of the audit older than $1 microseconds. Safe: at most $2 of them; nothing depends on them.
DELETE FROM outbox_audit
 WHERE id IN (SELECT id FROM outbox_audit
               WHERE done_at < now() - $1::bigint * interval '1 microsecond'
               ORDER BY done_at
               LIMIT $2)
