-- A page of parked keys, after the key ($1, $2). Safe: reads only, bounded by $3.
SELECT topic, message_key, error, parked_at
  FROM outbox_parked
 WHERE (topic, message_key) > ($1, $2)
 ORDER BY topic, message_key
 LIMIT $3
