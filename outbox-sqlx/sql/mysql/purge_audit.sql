-- Removes lines of the audit older than ?1 microseconds. Safe: at most ?2 of them; nothing depends on them.
DELETE FROM outbox_audit
 WHERE done_at < UTC_TIMESTAMP(6) - INTERVAL ?1 MICROSECOND
 ORDER BY done_at
 LIMIT ?2
