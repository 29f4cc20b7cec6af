-- Makes the queues of a topic that was just declared. Safe: those that are there stay as they are.
WITH RECURSIVE numbers (n) AS (VALUES (0) UNION ALL SELECT n + 1 FROM numbers WHERE n < 1023)
INSERT INTO outbox_queue (topic_id, number, siblings)
SELECT t.id, n, t.initial_queues
  FROM outbox_topic t, numbers
 WHERE t.name = $1
   AND n < t.initial_queues
 ORDER BY n
ON CONFLICT (topic_id, number) DO NOTHING
