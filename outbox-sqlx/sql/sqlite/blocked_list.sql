-- A page of blocked messages. Safe: reads only, through the partial index, bounded by $2.
SELECT id, CASE length(message_id) WHEN 16 THEN message_id ELSE zeroblob(16) END, topic, message_key, attempts, last_error, created_at
  FROM outbox
 WHERE due_at IS NOT NULL AND hold = 2 AND id > $1
 ORDER BY id
 LIMIT $2
