-- Lets the group take a queue that was split off. Safe: run under queue_settle_lock of the old one.
UPDATE outbox_group_queue SET waits = FALSE WHERE group_id = ?1 AND queue_id = ?2
