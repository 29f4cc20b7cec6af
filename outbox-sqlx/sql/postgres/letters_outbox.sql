-- A page of the outbox's dead letters after id $7, without their content, in the order they were published. Of one topic $1,
-- key $2, message $3, reason $4, died since $5 and before $6 (microseconds since 1970), each where it is not NULL. Safe:
-- reads only, bounded by $8.
SELECT d.id, 0::bigint, d.message_id, d.topic, d.message_key, d.attempts::bigint, d.last_error, d.reason,
       (extract(epoch FROM d.created_at) * 1000000)::bigint, (extract(epoch FROM d.died_at) * 1000000)::bigint,
       octet_length(d.payload)::bigint,
       EXISTS (SELECT 1 FROM outbox_parked p WHERE p.topic = d.topic AND p.message_key = d.message_key),
       (CASE WHEN d.shard BETWEEN 0 AND 63 THEN d.shard ELSE 0 END)::bigint
  FROM outbox_dead d
 WHERE d.id > $7
   AND ($1::text IS NULL OR d.topic = $1)
   AND ($2::text IS NULL OR d.message_key = $2)
   AND ($3::uuid IS NULL OR d.message_id = $3)
   AND ($4::text IS NULL OR d.reason = $4)
   AND ($5::bigint IS NULL OR d.died_at >= timestamptz 'epoch' + $5::bigint * interval '1 microsecond')
   AND ($6::bigint IS NULL OR d.died_at < timestamptz 'epoch' + $6::bigint * interval '1 microsecond')
 ORDER BY d.id
 LIMIT $8
