-- Registers the topic's groups for its new queues, where they wait for the queue that was split. Safe: what is
-- there stays as it is, and is not locked.
INSERT INTO outbox_group_queue (group_id, queue_id, read_offset, waits)
SELECT DISTINCT g.group_id, q.id, q.first_offset, TRUE
  FROM outbox_group_queue g
  JOIN outbox_queue old ON old.id = g.queue_id
  JOIN outbox_queue q ON q.topic_id = old.topic_id
  LEFT JOIN outbox_group_queue there ON there.group_id = g.group_id AND there.queue_id = q.id
 WHERE old.topic_id = ?1
   AND there.group_id IS NULL
    ON DUPLICATE KEY UPDATE outbox_group_queue.queue_id = outbox_group_queue.queue_id
