-- The queues that were split off one of the queues ?2, and that the group has not opened yet. Safe: reads only.
SELECT q.parent_id, q.id, q.number, q.split_offset, q.siblings, t.initial_queues
  FROM outbox_group_queue g
  JOIN outbox_queue q ON q.id = g.queue_id
  JOIN outbox_topic t ON t.id = q.topic_id
 WHERE g.group_id = ?1
   AND g.waits
   AND q.parent_id IN (SELECT e.queue_id FROM JSON_TABLE(?2, '$[*]' COLUMNS (queue_id INT PATH '$')) AS e)
 ORDER BY q.id
