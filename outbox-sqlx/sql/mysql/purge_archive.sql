-- Removes delivered messages older than ?1 microseconds. Safe: finished rows only, at most ?2 of them.
DELETE FROM outbox_archive
 WHERE delivered_at < UTC_TIMESTAMP(6) - INTERVAL ?1 MICROSECOND
 ORDER BY delivered_at
 LIMIT ?2
