-- A page of dead letters, by topic and key or all, in the order they were published. Safe: reads only, bounded by $4.
SELECT d.id, d.message_id, d.topic, d.message_key, d.attempts, d.last_error, d.reason,
       (extract(epoch FROM d.created_at) * 1000000)::bigint, (extract(epoch FROM d.died_at) * 1000000)::bigint,
       octet_length(d.payload)::bigint,
       EXISTS (SELECT 1 FROM outbox_parked p WHERE p.topic = d.topic AND p.message_key = d.message_key)
  FROM outbox_dead d
 WHERE ($1::text IS NULL OR d.topic = $1) AND ($2::text IS NULL OR d.message_key = $2) AND d.id > $3
 ORDER BY d.id
 LIMIT $4
