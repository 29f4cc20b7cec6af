-- A page of a queue's retries without their content, from offset $3 on, and how many microseconds each still waits. Safe:
-- reads only, by the queue's owner.
SELECT queue_offset, message_key, attempts::bigint,
       CASE WHEN due_at IS NOT NULL THEN greatest(0, (extract(epoch FROM due_at - clock_timestamp()) * 1000000)::bigint) END, in_trial
  FROM outbox_group_retry
 WHERE group_id = $1
   AND queue_id = $2
   AND queue_offset >= $3
 ORDER BY queue_offset
 LIMIT $4
