-- Gives a dead letter back to the group's retries, in the queue $4 where its key is now, with no attempts counted. Safe:
-- what is there already stays as it is.
INSERT INTO outbox_group_retry (group_id, queue_id, queue_offset, message_id, message_key, payload, headers, created_at, attempts, due_at, last_error)
SELECT group_id, $4, queue_offset, message_id, message_key, payload, headers, created_at, 0, CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000, last_error
  FROM outbox_group_dead
 WHERE group_id = $1
   AND queue_id = $2
   AND queue_offset = $3
ON CONFLICT (group_id, queue_id, queue_offset) DO NOTHING
