-- Removes the dead letter that was given up. Safe: same transaction as its note.
DELETE FROM outbox_dead WHERE id = (SELECT id FROM outbox_dead WHERE message_id = $1 ORDER BY id LIMIT 1)
