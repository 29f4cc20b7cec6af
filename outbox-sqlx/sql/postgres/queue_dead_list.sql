-- A page of a group's dead letters, after queue $2 and offset $3, perhaps of one topic $4 and one key $5. Safe: reads
-- only, bounded by $6.
SELECT t.name, q.number::bigint, d.queue_id::bigint, d.queue_offset, d.message_id, d.message_key, d.attempts::bigint, d.last_error, (extract(epoch FROM d.created_at) * 1000000)::bigint, (extract(epoch FROM d.died_at) * 1000000)::bigint, octet_length(d.payload)::bigint
  FROM outbox_group_dead d
  JOIN outbox_queue q ON q.id = d.queue_id
  JOIN outbox_topic t ON t.id = q.topic_id
 WHERE d.group_id = $1
   AND (d.queue_id, d.queue_offset) > ($2, $3)
   AND ($4::text IS NULL OR t.name = $4)
   AND ($5::text IS NULL OR d.message_key = $5)
 ORDER BY d.queue_id, d.queue_offset
 LIMIT $6
