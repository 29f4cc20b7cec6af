-- Removes a group's dead letters. Safe: a step of removing the group, under its lock.
DELETE FROM outbox_group_dead WHERE group_id = ?1
