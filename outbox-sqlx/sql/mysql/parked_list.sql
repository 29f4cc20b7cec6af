-- A page of parked keys, after the given key. Safe: reads only, bounded by the last parameter.
SELECT topic, message_key, error, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', parked_at)
  FROM outbox_parked
 WHERE (topic, message_key) > (?, ?)
 ORDER BY topic, message_key
 LIMIT ?
