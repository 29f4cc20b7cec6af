-- Reads what follows in one queue. Safe: reads only.
SELECT queue_id, queue_offset, message_id, message_key, payload, headers, created_at
  FROM outbox_queue_message
 WHERE queue_id = $1
   AND queue_offset >= $2
 ORDER BY queue_offset
 LIMIT $3
