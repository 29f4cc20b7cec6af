-- Takes a free queue, under a new epoch. Safe: of two only one finds it free.
UPDATE outbox_group_queue
   SET owner = $3, epoch = epoch + 1
 WHERE group_id = $1
   AND queue_id = $2
   AND owner IS NULL
RETURNING epoch, read_offset, deaths::bigint, suspect_to
