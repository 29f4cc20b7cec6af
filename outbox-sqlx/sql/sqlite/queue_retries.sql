-- A page of a queue's retries without their content, from offset $3 on, and how many microseconds each still waits. Safe:
-- reads only, by the queue's owner.
SELECT queue_offset, message_key, attempts,
       CASE WHEN due_at IS NOT NULL THEN max(0, due_at - CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000) END, in_trial
  FROM outbox_group_retry
 WHERE group_id = $1
   AND queue_id = $2
   AND queue_offset >= $3
 ORDER BY queue_offset
 LIMIT $4
