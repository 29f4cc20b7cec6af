-- Makes the queues of a topic that was just declared. Safe: those that are there stay as they are.
INSERT INTO outbox_queue (topic_id, number, siblings)
SELECT t.id, n, t.initial_queues
  FROM outbox_topic t, generate_series(0, t.initial_queues - 1) AS n
 WHERE t.name = $1
 ORDER BY n
ON CONFLICT (topic_id, number) DO NOTHING
