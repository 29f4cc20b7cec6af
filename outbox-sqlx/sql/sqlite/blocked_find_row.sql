-- The row of a blocked message, by its message's id. Safe: reads only, through the partial index, because a blocked row
-- always has due_at.
SELECT id FROM outbox WHERE due_at IS NOT NULL AND hold = 2 AND message_id = $1 ORDER BY id LIMIT 1
