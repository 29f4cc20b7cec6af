-- Copies spent messages to the dead letters, before they are deleted by the same transaction. ?1: [[id, reason, attempts,
-- error], …]. Safe: run under the fence of relay_lock_shards; burying what is buried changes nothing.
INSERT INTO outbox_dead
       (id, message_id, shard, topic, message_key, payload, headers, created_at, attempts, last_error, reason)
SELECT o.id, o.message_id, o.shard, o.topic, o.message_key, o.payload, o.headers, o.created_at,
       GREATEST(o.attempts, f.attempts), f.error, f.reason
  FROM JSON_TABLE(?1, '$[*]' COLUMNS (id BIGINT PATH '$[0]', reason VARCHAR(16) PATH '$[1]', attempts INT PATH '$[2]',
                                      error TEXT PATH '$[3]')) AS f
 STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = f.id
    ON DUPLICATE KEY UPDATE outbox_dead.id = outbox_dead.id
