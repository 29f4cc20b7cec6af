-- Removes retries that are finished or dead: [queue, offset]. Safe: run under queue_settle_lock.
DELETE FROM outbox_group_retry
 WHERE group_id = $1
   AND (queue_id, queue_offset) IN (SELECT value ->> 0, value ->> 1 FROM json_each($2))
