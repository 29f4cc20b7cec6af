-- Takes those of the queues $2 that are free, each under a new epoch. Safe: of two only one finds a queue free.
UPDATE outbox_group_queue
   SET owner = $3, epoch = epoch + 1
 WHERE group_id = $1
   AND queue_id IN (SELECT value::integer FROM json_array_elements_text($2::json))
   AND owner IS NULL
RETURNING queue_id::bigint, epoch, read_offset, deaths::bigint, suspect_to
