-- Keeps others from sharing out, moving or removing the group until the transaction ends. Safe: its first lock.
SELECT changes, paused FROM outbox_group WHERE id = ?1 FOR UPDATE
