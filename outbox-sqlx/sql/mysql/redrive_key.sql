-- Third step: gives all dead letters of the key back with the ids they had. Safe: see redrive.sql.
INSERT INTO outbox (id, message_id, shard, topic, message_key, payload, headers, created_at)
SELECT d.id, d.message_id, d.shard, d.topic, d.message_key, d.payload, d.headers, d.created_at
  FROM outbox_dead d
 WHERE d.topic = ?1 AND d.message_key = ?2
    ON DUPLICATE KEY UPDATE outbox.id = outbox.id
