-- A page of a group's dead letters after queue $2 and offset $3, without their content, those of a key in their order. Of one
-- topic $4, key $5, message $6, died since $7 and before $8 (microseconds since 1970), each where it is not NULL. Safe:
-- reads only, bounded by $9.
SELECT d.queue_id, d.queue_offset, d.message_id, t.name, d.message_key, d.attempts, d.last_error, 'skipped',
       d.created_at, d.died_at,
       length(CAST(d.payload AS BLOB)),
       0,
       q.number
  FROM outbox_group_dead d
  JOIN outbox_queue q ON q.id = d.queue_id
  JOIN outbox_topic t ON t.id = q.topic_id
 WHERE d.group_id = $1
   AND (d.queue_id, d.queue_offset) > ($2, $3)
   AND ($4 IS NULL OR t.name = $4)
   AND ($5 IS NULL OR d.message_key = $5)
   AND ($6 IS NULL OR d.message_id = $6)
   AND ($7 IS NULL OR d.died_at >= $7)
   AND ($8 IS NULL OR d.died_at < $8)
 ORDER BY d.queue_id, d.queue_offset
 LIMIT $9
