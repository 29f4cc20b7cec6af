-- A page of blocked messages. Safe: reads only, through the partial index, bounded by $2.
SELECT id, message_id, topic, message_key, attempts, last_error, (extract(epoch FROM created_at) * 1000000)::bigint
  FROM outbox
 WHERE due_at IS NOT NULL AND hold = 2 AND id > $1
 ORDER BY id
 LIMIT $2
