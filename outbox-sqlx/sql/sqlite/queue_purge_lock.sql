-- The place of the group that is furthest behind in a queue, which stays so until the transaction ends: who registers,
-- appends or moves a place waits. Safe: one row's lock.
SELECT q.first_offset, q.next_offset,
       (SELECT min(o.read_offset) FROM outbox_group_queue o WHERE o.queue_id = q.id)
  FROM outbox_queue q
 WHERE q.id = $1
