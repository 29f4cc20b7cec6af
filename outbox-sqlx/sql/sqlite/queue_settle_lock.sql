-- The fence: which of these [queue, epoch] pairs are still so. Who takes one over waits until this transaction ends.
-- Safe against deadlock: in the order of the queues.
SELECT queue_id
  FROM outbox_group_queue
 WHERE group_id = $1
   AND (queue_id, epoch) IN (SELECT value ->> 0, value ->> 1 FROM json_each($2))
