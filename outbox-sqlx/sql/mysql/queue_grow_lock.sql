-- Keeps everybody from appending to a topic until the transaction ends. Safe against deadlock: in the order in
-- which appending locks, because ids grow with numbers.
SELECT id, next_offset FROM outbox_queue FORCE INDEX (outbox_queue_number) WHERE topic_id = ?1 ORDER BY number FOR UPDATE
