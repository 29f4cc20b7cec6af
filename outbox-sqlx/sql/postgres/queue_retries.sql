-- A page of the retries of the queues $2 without their content, after queue $3 and offset $4, and how many microseconds
-- each still waits. Safe: reads only, by the queues' owner.
SELECT queue_id::bigint, queue_offset, message_key, attempts::bigint,
       CASE WHEN due_at IS NOT NULL THEN greatest(0, (extract(epoch FROM due_at - clock_timestamp()) * 1000000)::bigint) END, in_trial
  FROM outbox_group_retry
 WHERE group_id = $1
   AND queue_id IN (SELECT value::integer FROM json_array_elements_text($2::json))
   AND (queue_id, queue_offset) > ($3, $4)
 ORDER BY queue_id, queue_offset
 LIMIT $5
