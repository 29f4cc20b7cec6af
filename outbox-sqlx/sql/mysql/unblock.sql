-- Lets a blocked message be tried again now, with all its attempts. Safe: one row by its primary key, which no relay
-- touches while it is blocked; hold stays set, so that later messages of its key go on waiting for it.
UPDATE outbox SET hold = 1, due_at = UTC_TIMESTAMP(6), attempts = 0 WHERE id = ? AND hold = 2
