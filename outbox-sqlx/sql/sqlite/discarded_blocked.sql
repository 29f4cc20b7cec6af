-- Removes the blocked message that was given up; its key goes on. Safe: same transaction as its note.
DELETE FROM outbox
 WHERE id = (SELECT id FROM outbox WHERE due_at IS NOT NULL AND hold = 2 AND message_id = $1 ORDER BY id LIMIT 1)
