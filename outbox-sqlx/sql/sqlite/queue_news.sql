-- Which of these [queue, offset] pairs have something at the offset or above, and, as a row without a queue, whether
-- delayed messages of the topics $2 are due: one look, whatever the number of queues. Safe: reads only.
SELECT q.id
  FROM json_each($1) AS e
  JOIN outbox_queue q ON q.id = (e.value ->> 0) AND q.next_offset > (e.value ->> 1)
UNION ALL
SELECT NULL
 WHERE EXISTS (SELECT 1 FROM outbox_delayed
                WHERE topic_id IN (SELECT value FROM json_each($2))
                  AND due_at <= CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000)
