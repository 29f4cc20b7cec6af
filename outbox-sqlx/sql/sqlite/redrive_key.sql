-- Second step: gives all dead letters of the key back with the ids they had. Safe: see redrive.sql.
INSERT INTO outbox (id, message_id, shard, topic, message_key, payload, headers, created_at)
SELECT id, message_id, shard, topic, message_key, payload, headers, created_at
  FROM outbox_dead
 WHERE topic = $1 AND message_key = $2
ON CONFLICT (id) DO NOTHING
