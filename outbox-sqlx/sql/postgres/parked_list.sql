-- A page of parked keys, after the key ($1, $2). Safe: reads only, bounded by $3.
SELECT topic, message_key, error, (extract(epoch FROM parked_at) * 1000000)::bigint
  FROM outbox_parked
 WHERE (topic, message_key) > ($1, $2)
 ORDER BY topic, message_key
 LIMIT $3
