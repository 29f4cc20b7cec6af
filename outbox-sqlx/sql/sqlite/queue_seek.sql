-- Moves a group's place in a queue. Safe: the new epoch fences whoever has it.
UPDATE outbox_group_queue
   SET read_offset = $3, waits = $4, owner = NULL, epoch = epoch + 1, deaths = 0, suspect_to = 0,
       placed_at = CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000
 WHERE group_id = $1
   AND queue_id = $2
