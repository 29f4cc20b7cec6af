-- Removes a group's retries. Safe: a step of removing the group, under its lock.
DELETE FROM outbox_group_retry WHERE group_id = ?1
