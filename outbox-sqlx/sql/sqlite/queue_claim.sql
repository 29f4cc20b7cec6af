-- Takes those of the queues $2 that are free, each under a new epoch. Safe: of two only one finds a queue free.
UPDATE outbox_group_queue
   SET owner = $3, epoch = epoch + 1
 WHERE group_id = $1
   AND queue_id IN (SELECT value FROM json_each($2))
   AND owner IS NULL
RETURNING queue_id, epoch, read_offset, deaths, suspect_to
