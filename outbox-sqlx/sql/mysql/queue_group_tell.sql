-- Makes the group's members look. Safe: only a counter.
UPDATE outbox_group SET changes = changes + 1 WHERE id = ?1
