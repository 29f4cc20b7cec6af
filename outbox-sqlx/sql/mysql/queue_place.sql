-- Registers a group for a queue. Safe: a place that is there stays as it is.
INSERT INTO outbox_group_queue (group_id, queue_id, read_offset, waits)
VALUES (?1, ?2, ?3, ?4)
    ON DUPLICATE KEY UPDATE queue_id = queue_id
