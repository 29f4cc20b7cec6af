-- Locks a queue; then reads the place of the group that is furthest behind in it, which stays so until the transaction ends:
-- who registers, appends or moves a place waits. Safe: one row's lock; two statements, so that the places are those of when
-- it was had and not of when it was asked for.
SELECT id FROM outbox_queue WHERE id = ?1 FOR UPDATE;
SELECT q.first_offset, q.next_offset,
       (SELECT MIN(o.read_offset) FROM outbox_group_queue o WHERE o.queue_id = q.id)
  FROM outbox_queue q
 WHERE q.id = ?1
