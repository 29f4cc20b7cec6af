-- Removes messages from offset ?2 to below ?3 that are older than ?4 microseconds. Safe: run under queue_purge_lock, ?3
-- is not above any group's place. (It waits for the first row behind them, which may be one that is being appended to the
-- next queue: that append asks for no further queue, so nobody waits in a circle.)
DELETE m
  FROM outbox_queue_message AS m FORCE INDEX (PRIMARY)
 WHERE m.queue_id = ?1
   AND m.queue_offset >= ?2
   AND m.queue_offset < ?3
   AND m.appended_at <= UTC_TIMESTAMP(6) - INTERVAL ?4 MICROSECOND
