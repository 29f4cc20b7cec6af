-- The dead letters of a message: more than one if it was published twice. Safe: reads only.
SELECT d.queue_id, d.queue_offset, d.message_key, t.name
  FROM outbox_group_dead d
  JOIN outbox_queue q ON q.id = d.queue_id
  JOIN outbox_topic t ON t.id = q.topic_id
 WHERE d.group_id = $1
   AND d.message_id = $2
 ORDER BY d.queue_id, d.queue_offset
