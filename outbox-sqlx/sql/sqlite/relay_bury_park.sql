-- Parks the keys of spent messages that ask for it. ?1: [[id, reason, attempts, error], …]. Safe: run under the
-- fence of relay_owned_shards and before the rows are deleted; parking a parked key changes nothing.
INSERT INTO outbox_parked (topic, message_key, shard, parked_at, error)
SELECT o.topic, o.message_key, CASE WHEN o.shard BETWEEN 0 AND 63 THEN o.shard ELSE 0 END, ?2,
       json_extract(f.value, '$[3]')
  FROM json_each(?1) AS f
 CROSS JOIN outbox o ON o.id = json_extract(f.value, '$[0]')
 WHERE json_extract(f.value, '$[1]') = 'parked'
    ON CONFLICT (topic, message_key) DO NOTHING
