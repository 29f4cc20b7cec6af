-- Removes a group's members. Safe: a step of removing the group, under its lock.
DELETE FROM outbox_group_member WHERE group_id = ?1
