-- The queues of a topic, by their numbers. Safe: reads only.
SELECT t.id, t.initial_queues, q.id
  FROM outbox_topic t
  JOIN outbox_queue q ON q.topic_id = t.id
 WHERE t.name = ?1
 ORDER BY q.number
