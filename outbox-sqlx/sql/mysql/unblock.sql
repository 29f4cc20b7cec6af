-- Lets a blocked message be tried again now, with all its attempts. Safe: one row, which no relay touches while it is
-- blocked; hold stays set, so that later messages of its key go on waiting for it. (A table that is updated can be read
-- only through a derived one.)
UPDATE outbox
   SET hold = 1, due_at = UTC_TIMESTAMP(6), attempts = 0
 WHERE id = (SELECT id
               FROM (SELECT id
                       FROM outbox FORCE INDEX (outbox_due)
                      WHERE due_at IS NOT NULL AND hold = 2 AND message_id = ?
                      ORDER BY id
                      LIMIT 1) AS found)
