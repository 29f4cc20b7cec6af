-- The first message at an offset or above, and when it was appended. Safe: reads only.
SELECT queue_offset, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', appended_at)
  FROM outbox_queue_message
 WHERE queue_id = ?1
   AND queue_offset >= ?2
 ORDER BY queue_offset
 LIMIT 1
