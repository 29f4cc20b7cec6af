-- Registers the topic's groups for its new queues, where they wait for the queue that was split. Safe: what is
-- there stays as it is.
INSERT INTO outbox_group_queue (group_id, queue_id, read_offset, waits)
SELECT DISTINCT g.group_id, q.id, q.first_offset, true
  FROM outbox_group_queue g
  JOIN outbox_queue old ON old.id = g.queue_id
  JOIN outbox_queue q ON q.topic_id = old.topic_id
 WHERE old.topic_id = $1
ON CONFLICT (group_id, queue_id) DO NOTHING
