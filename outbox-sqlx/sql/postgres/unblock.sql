-- Lets a blocked message be tried again now, with all its attempts. Safe: one row, which no relay touches while
-- it is blocked; hold stays set, so that later messages of its key go on waiting for it.
UPDATE outbox
   SET hold = 1, due_at = now(), attempts = 0
 WHERE id = (SELECT id FROM outbox WHERE due_at IS NOT NULL AND hold = 2 AND message_id = $1 ORDER BY id LIMIT 1)
