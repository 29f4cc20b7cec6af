-- The group's queues and who has them. Safe: reads only, under the group's lock.
SELECT g.queue_id, t.id, t.name, q.number, g.owner, g.epoch, g.waits
  FROM outbox_group_queue g
  JOIN outbox_queue q ON q.id = g.queue_id
  JOIN outbox_topic t ON t.id = q.topic_id
 WHERE g.group_id = ?1
 ORDER BY g.queue_id
