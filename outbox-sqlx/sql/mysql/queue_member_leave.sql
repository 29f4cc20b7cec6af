-- Leaves a group. Safe: one row of its own.
DELETE FROM outbox_group_member WHERE group_id = ?1 AND member = ?2
