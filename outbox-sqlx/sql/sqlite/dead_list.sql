-- A page of dead letters, by topic and key or all, in the order they were published. Safe: reads only, bounded by $4.
SELECT d.id, CASE length(d.message_id) WHEN 16 THEN d.message_id ELSE zeroblob(16) END, d.topic, d.message_key, d.attempts, d.last_error, d.reason, d.created_at, d.died_at,
       length(CAST(d.payload AS BLOB)),
       EXISTS (SELECT 1 FROM outbox_parked p WHERE p.topic = d.topic AND p.message_key = d.message_key)
  FROM outbox_dead d
 WHERE ($1 IS NULL OR d.topic = $1) AND ($2 IS NULL OR d.message_key = $2) AND d.id > $3
 ORDER BY d.id
 LIMIT $4
