-- One dead letter with its payload and headers as they are stored. Safe: reads only.
SELECT d.id, d.message_id, d.topic, d.message_key, d.attempts, d.last_error, d.reason,
       TIMESTAMPDIFF(MICROSECOND, '1970-01-01', d.created_at), TIMESTAMPDIFF(MICROSECOND, '1970-01-01', d.died_at),
       LENGTH(d.payload),
       EXISTS (SELECT 1 FROM outbox_parked p WHERE p.topic = d.topic AND p.message_key = d.message_key),
       d.payload, d.headers
  FROM outbox_dead d
 WHERE d.message_id = ?
 ORDER BY d.id
 LIMIT 1
