-- Removes notes of discarded messages older than ?1 microseconds. Safe: finished rows only, at most ?2 of them.
DELETE FROM outbox_discarded
 WHERE discarded_at < UTC_TIMESTAMP(6) - INTERVAL ?1 MICROSECOND
 ORDER BY discarded_at
 LIMIT ?2
