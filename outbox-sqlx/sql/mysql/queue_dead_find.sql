-- The dead letters of a message: more than one if it was published twice. Safe: reads only.
SELECT d.queue_id, d.queue_offset, d.message_key
  FROM outbox_group_dead d
 WHERE d.group_id = ?1
   AND d.message_id = ?2
 ORDER BY d.queue_id, d.queue_offset
