-- Copies rows of parked keys to the dead letters, before they are deleted by the same transaction. Safe: run under the
-- fence of relay_lock_shards, for the rows that relay_parked_ids found in the same transaction.
INSERT INTO outbox_dead
       (id, message_id, shard, topic, message_key, payload, headers, created_at, attempts, last_error, reason)
SELECT o.id, o.message_id, o.shard, o.topic, o.message_key, o.payload, o.headers, o.created_at, o.attempts,
       o.last_error, 'parked'
  FROM JSON_TABLE(?1, '$[*]' COLUMNS (id BIGINT PATH '$')) AS wanted
 STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = wanted.id
    ON DUPLICATE KEY UPDATE outbox_dead.id = outbox_dead.id
