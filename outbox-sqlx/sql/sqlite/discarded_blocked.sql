-- Removes the blocked message that was given up; its key goes on. Safe: same transaction as its note.
DELETE FROM outbox WHERE id = $1 AND hold = 2
