-- Copies rows of parked keys to the dead letters, before they are deleted by the same transaction. Safe: run
-- under the fence of relay_owned_shards, for the rows that relay_parked_ids found in the same transaction.
INSERT INTO outbox_dead
       (id, message_id, shard, topic, message_key, payload, headers, created_at, attempts, last_error, reason, died_at)
SELECT id, message_id, shard, topic, message_key, payload, headers, created_at, attempts, last_error, 'parked', ?2
  FROM outbox
 WHERE id IN (SELECT value FROM json_each(?1))
    ON CONFLICT (id) DO NOTHING
