-- Removes a dead letter. Safe: whoever was first; the other finds nothing.
DELETE FROM outbox_group_dead WHERE group_id = ?1 AND queue_id = ?2 AND queue_offset = ?3
