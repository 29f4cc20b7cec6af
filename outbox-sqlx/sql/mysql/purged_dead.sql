-- Removes the dead letters that have a note. Safe: same transaction; at most ?2 of them, the oldest.
DELETE FROM outbox_dead
 WHERE died_at < UTC_TIMESTAMP(6) - INTERVAL ?1 MICROSECOND
   AND id IN (SELECT id FROM outbox_discarded)
 ORDER BY died_at
 LIMIT ?2
