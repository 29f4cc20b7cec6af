-- Removes a group. Safe: the last step, under its lock.
DELETE FROM outbox_group WHERE id = ?1
