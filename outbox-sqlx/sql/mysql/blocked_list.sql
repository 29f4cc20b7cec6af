-- A page of blocked messages. Safe: reads only, along the index on due_at, bounded by the second parameter.
SELECT id, message_id, topic, message_key, attempts, last_error, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', created_at)
  FROM outbox FORCE INDEX (outbox_due)
 WHERE due_at IS NOT NULL AND hold = 2 AND id > ?
 ORDER BY id
 LIMIT ?
