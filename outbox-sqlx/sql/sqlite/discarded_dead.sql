-- Removes the dead letter that was given up. Safe: same transaction as its note.
DELETE FROM outbox_dead WHERE id = $1
