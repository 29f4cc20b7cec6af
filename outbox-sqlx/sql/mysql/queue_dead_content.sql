-- Payload and headers of one dead letter. Safe: reads only.
SELECT d.payload, d.headers
  FROM outbox_group_dead d
 WHERE d.group_id = ?1
   AND d.queue_id = ?2
   AND d.queue_offset = ?3
