-- Parks the keys of spent messages that ask for it. ?1: [[id, reason, attempts, error], …]. Safe: run under the fence of
-- relay_lock_shards and before the rows are deleted; parking a parked key changes nothing.
INSERT INTO outbox_parked (topic, message_key, shard, error)
SELECT o.topic, o.message_key, CASE WHEN o.shard BETWEEN 0 AND 63 THEN o.shard ELSE 0 END, f.error
  FROM JSON_TABLE(?1, '$[*]' COLUMNS (id BIGINT PATH '$[0]', reason VARCHAR(16) PATH '$[1]',
                                      error TEXT PATH '$[3]')) AS f
 STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = f.id
 WHERE f.reason = 'parked'
    ON DUPLICATE KEY UPDATE outbox_parked.shard = outbox_parked.shard
