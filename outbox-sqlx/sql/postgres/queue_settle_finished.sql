-- Removes retries that are finished or dead: [queue, offset]. Safe: run under queue_settle_lock.
DELETE FROM outbox_group_retry
 WHERE group_id = $1
   AND (queue_id, queue_offset) IN (SELECT (e->>0)::integer, (e->>1)::bigint FROM json_array_elements($2::json) AS e)
