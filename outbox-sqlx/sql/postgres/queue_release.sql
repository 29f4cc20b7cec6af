-- Gives queues back, as [queue, epoch] pairs. Safe: only under the epoch they were taken under.
UPDATE outbox_group_queue
   SET owner = NULL
 WHERE group_id = $1
   AND (queue_id, epoch) IN (SELECT (e->>0)::integer, (e->>1)::bigint FROM json_array_elements($2::json) AS e)
