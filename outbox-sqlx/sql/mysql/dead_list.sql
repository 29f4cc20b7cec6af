-- A page of dead letters, by topic and key or all, in the order they were published. Safe: reads only, bounded by the
-- last parameter. (<=>: equal, and NULL equals NULL.)
SELECT d.id, d.message_id, d.topic, d.message_key, d.attempts, d.last_error, d.reason,
       TIMESTAMPDIFF(MICROSECOND, '1970-01-01', d.created_at), TIMESTAMPDIFF(MICROSECOND, '1970-01-01', d.died_at),
       LENGTH(d.payload),
       EXISTS (SELECT 1 FROM outbox_parked p WHERE p.topic = d.topic AND p.message_key = d.message_key)
  FROM outbox_dead d
 WHERE d.topic = COALESCE(?, d.topic) AND d.message_key <=> COALESCE(?, d.message_key) AND d.id > ?
 ORDER BY d.id
 LIMIT ?
