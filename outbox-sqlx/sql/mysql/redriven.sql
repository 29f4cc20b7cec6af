-- Removes the dead letter that was given back. Safe: same transaction.
DELETE FROM outbox_dead WHERE id = ?1
