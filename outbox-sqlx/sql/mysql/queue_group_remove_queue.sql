-- Removes a group's places. Safe: a step of removing the group, under its lock.
DELETE d FROM outbox_group_queue AS d FORCE INDEX (PRIMARY) WHERE d.group_id = ?1
