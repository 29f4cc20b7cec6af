-- The fence: which of these [queue, epoch] pairs are still so. Who takes one over waits until this transaction ends.
-- Safe against deadlock: in the order of the queues.
SELECT queue_id::bigint
  FROM outbox_group_queue
 WHERE group_id = $1
   AND (queue_id, epoch) IN (SELECT (e->>0)::integer, (e->>1)::bigint FROM json_array_elements($2::json) AS e)
 ORDER BY queue_id
   FOR NO KEY UPDATE
