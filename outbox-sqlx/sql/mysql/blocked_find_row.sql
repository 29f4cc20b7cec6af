-- The row of a blocked message, by its message's id. Safe: reads only, along the index on due_at, which a blocked row
-- always has.
SELECT id
  FROM outbox FORCE INDEX (outbox_due)
 WHERE due_at IS NOT NULL AND hold = 2 AND message_id = ?
 ORDER BY id
 LIMIT 1
