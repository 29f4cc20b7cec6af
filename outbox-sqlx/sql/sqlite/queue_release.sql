-- Gives queues back, as [queue, epoch] pairs. Safe: only under the epoch they were taken under.
UPDATE outbox_group_queue
   SET owner = NULL
 WHERE group_id = $1
   AND (queue_id, epoch) IN (SELECT value ->> 0, value ->> 1 FROM json_each($2))
