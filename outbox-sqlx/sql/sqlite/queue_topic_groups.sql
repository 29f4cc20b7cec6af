-- The groups of a topic. Safe: reads only; whoever locks them does it in this order.
SELECT DISTINCT g.group_id
  FROM outbox_group_queue g
  JOIN outbox_queue q ON q.id = g.queue_id
 WHERE q.topic_id = $1
 ORDER BY 1
