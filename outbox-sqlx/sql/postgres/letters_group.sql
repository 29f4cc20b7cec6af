-- A page of a group's dead letters after queue $2 and offset $3, without their content, those of a key in their order. Of one
-- topic $4, key $5, message $6, died since $7 and before $8 (microseconds since 1970), each where it is not NULL. Safe:
-- reads only, bounded by $9.
SELECT d.queue_id::bigint, d.queue_offset, d.message_id, t.name, d.message_key, d.attempts::bigint, d.last_error, 'skipped',
       (extract(epoch FROM d.created_at) * 1000000)::bigint, (extract(epoch FROM d.died_at) * 1000000)::bigint,
       octet_length(d.payload)::bigint,
       false,
       q.number::bigint
  FROM outbox_group_dead d
  JOIN outbox_queue q ON q.id = d.queue_id
  JOIN outbox_topic t ON t.id = q.topic_id
 WHERE d.group_id = $1
   AND (d.queue_id, d.queue_offset) > ($2, $3)
   AND ($4::text IS NULL OR t.name = $4)
   AND ($5::text IS NULL OR d.message_key = $5)
   AND ($6::uuid IS NULL OR d.message_id = $6)
   AND ($7::bigint IS NULL OR d.died_at >= timestamptz 'epoch' + $7::bigint * interval '1 microsecond')
   AND ($8::bigint IS NULL OR d.died_at < timestamptz 'epoch' + $8::bigint * interval '1 microsecond')
 ORDER BY d.queue_id, d.queue_offset
 LIMIT $9
