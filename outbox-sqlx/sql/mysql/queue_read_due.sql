-- A row without a queue where delayed messages of the topics (a JSON list) are due. Safe: reads only, the earliest of each
-- topic.
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM JSON_TABLE(?, '$[*]' COLUMNS (id INT PATH '$')) AS topic
 WHERE (SELECT d.due_at FROM outbox_delayed d WHERE d.topic_id = topic.id ORDER BY d.topic_id, d.due_at LIMIT 1) <= UTC_TIMESTAMP(6)
