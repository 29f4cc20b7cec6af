-- Makes the queues of a topic that was just declared. Safe: those that are there stay as they are, and are not locked.
INSERT INTO outbox_queue (topic_id, number, siblings)
WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 31)
SELECT t.id, high.n * 32 + low.n, t.initial_queues
  FROM outbox_topic t
 CROSS JOIN numbers AS high
 CROSS JOIN numbers AS low
  LEFT JOIN outbox_queue q ON q.topic_id = t.id AND q.number = high.n * 32 + low.n
 WHERE t.name = ?1
   AND high.n * 32 + low.n < t.initial_queues
   AND q.id IS NULL
 ORDER BY high.n, low.n
    ON DUPLICATE KEY UPDATE outbox_queue.id = outbox_queue.id
