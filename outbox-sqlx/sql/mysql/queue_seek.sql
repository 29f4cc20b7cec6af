-- Locks a group's place in a queue and moves it. Safe: the new epoch fences whoever has it. The lock is had before the
-- statement begins whose clock says when that was, so what others had buried until then is older.
SELECT 1 FROM outbox_group_queue WHERE group_id = ?1 AND queue_id = ?2 FOR UPDATE;
UPDATE outbox_group_queue
   SET read_offset = ?3, waits = ?4, owner = NULL, epoch = epoch + 1, deaths = 0, suspect_to = 0,
       placed_at = UTC_TIMESTAMP(6)
 WHERE group_id = ?1
   AND queue_id = ?2
