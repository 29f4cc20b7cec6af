-- All topics, for people. Safe: reads only.
SELECT t.name, COUNT(*), CAST(SUM(q.next_offset - q.first_offset) AS SIGNED), t.retention
  FROM outbox_topic t
  JOIN outbox_queue q ON q.topic_id = t.id
 GROUP BY t.id, t.name, t.retention
 ORDER BY t.name
