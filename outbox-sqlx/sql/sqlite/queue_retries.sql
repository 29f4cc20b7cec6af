-- A page of the retries of the queues $2 without their content, after queue $3 and offset $4, and how many microseconds
-- each still waits. Safe: reads only, by the queues' owner.
SELECT queue_id, queue_offset, message_key, attempts,
       CASE WHEN due_at IS NOT NULL THEN max(0, due_at - CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000) END, in_trial
  FROM outbox_group_retry
 WHERE group_id = $1
   AND queue_id IN (SELECT value FROM json_each($2))
   AND (queue_id, queue_offset) > ($3, $4)
 ORDER BY queue_id, queue_offset
 LIMIT $5
