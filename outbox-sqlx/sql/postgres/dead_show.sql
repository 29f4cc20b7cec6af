-- One dead letter with its payload and headers as they are stored. Safe: reads only.
SELECT d.id, d.message_id, d.topic, d.message_key, d.attempts, d.last_error, d.reason,
       (extract(epoch FROM d.created_at) * 1000000)::bigint, (extract(epoch FROM d.died_at) * 1000000)::bigint,
       octet_length(d.payload)::bigint,
       EXISTS (SELECT 1 FROM outbox_parked p WHERE p.topic = d.topic AND p.message_key = d.message_key),
       d.payload, d.headers::text
  FROM outbox_dead d
 WHERE d.message_id = $1
 ORDER BY d.id
 LIMIT 1
