-- A queue's topic, number and siblings, its ancestors' keys, and whether the group has opened it. Safe: reads only.
SELECT q.id, q.number, q.siblings, t.initial_queues, g.waits
  FROM outbox_queue q
  JOIN outbox_topic t ON t.id = q.topic_id
  JOIN outbox_group_queue g ON g.queue_id = q.id AND g.group_id = ?1
 WHERE q.topic_id = (SELECT topic_id FROM outbox_queue WHERE id = ?2)
 ORDER BY q.number
