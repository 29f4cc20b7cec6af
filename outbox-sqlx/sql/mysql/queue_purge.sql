-- Removes messages from offset ?2 to below ?3 that are older than ?4 microseconds. Safe: run under queue_purge_lock, ?3
-- is not above any group's place.
DELETE FROM outbox_queue_message
 WHERE queue_id = ?1
   AND queue_offset >= ?2
   AND queue_offset < ?3
   AND appended_at <= UTC_TIMESTAMP(6) - INTERVAL ?4 MICROSECOND
