-- Copies delivered rows to the archive, before they are deleted by the same transaction. Safe to repeat.
INSERT INTO outbox_archive
       (id, message_id, shard, topic, message_key, payload, headers, created_at, attempts, delivered_at)
SELECT id, message_id, shard, topic, message_key, payload, headers, created_at, attempts, ?2
  FROM outbox
 WHERE id IN (SELECT value FROM json_each(?1))
    ON CONFLICT (id) DO NOTHING
