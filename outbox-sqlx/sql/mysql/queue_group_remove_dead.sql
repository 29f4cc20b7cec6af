-- Removes a group's dead letters. Safe: a step of removing the group, under its lock.
DELETE d FROM outbox_group_dead AS d FORCE INDEX (PRIMARY) WHERE d.group_id = ?1
