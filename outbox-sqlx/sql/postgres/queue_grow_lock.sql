-- Keeps everybody from appending to a topic until the transaction ends. Safe against deadlock: in the order in
-- which appending locks.
SELECT id::bigint, next_offset FROM outbox_queue WHERE topic_id = $1 ORDER BY id FOR NO KEY UPDATE
