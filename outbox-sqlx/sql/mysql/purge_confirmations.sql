-- Confirmations older than ?1 microseconds whose message is settled: it neither waits nor is dead, where it could still
-- need them. At most ?2. Safe: reads only, and locks nothing; they are deleted by their keys.
SELECT c.message_id, c.group_name
  FROM outbox_confirmation c
 WHERE c.confirmed_at < UTC_TIMESTAMP(6) - INTERVAL ?1 MICROSECOND
   AND NOT EXISTS (SELECT 1 FROM outbox_awaiting a WHERE a.message_id = c.message_id)
   AND NOT EXISTS (SELECT 1 FROM outbox_dead d WHERE d.message_id = c.message_id)
 ORDER BY c.confirmed_at
 LIMIT ?2
