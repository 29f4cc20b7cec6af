-- Removes a group's places. Safe: a step of removing the group, under its lock.
DELETE FROM outbox_group_queue WHERE group_id = ?1
