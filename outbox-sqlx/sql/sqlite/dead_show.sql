-- One dead letter with its payload and headers as they are stored. Safe: reads only.
SELECT d.id, CASE length(d.message_id) WHEN 16 THEN d.message_id ELSE zeroblob(16) END, d.topic, d.message_key, d.attempts, d.last_error, d.reason, d.created_at, d.died_at,
       length(CAST(d.payload AS BLOB)),
       EXISTS (SELECT 1 FROM outbox_parked p WHERE p.topic = d.topic AND p.message_key = d.message_key),
       CAST(d.payload AS BLOB), d.headers
  FROM outbox_dead d
 WHERE d.message_id = $1
 ORDER BY d.id
 LIMIT 1
