-- The bare loop reads a page: the columns that the relay reads.
SELECT id, message_id, shard, topic, message_key, payload, headers, created_at, due_at, hold, attempts
  FROM outbox
 WHERE id > ?
 ORDER BY id
 LIMIT ?
