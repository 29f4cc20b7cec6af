-- Copies spent messages to the dead letters, before they are deleted by the same transaction.
-- ?1: [[id, reason, attempts, error], …]. Safe: run under the fence of relay_owned_shards; burying what is
-- buried changes nothing.
INSERT INTO outbox_dead
       (id, message_id, shard, topic, message_key, payload, headers, created_at, attempts, last_error, reason, died_at)
SELECT o.id, o.message_id, o.shard, o.topic, o.message_key, o.payload, o.headers, o.created_at,
       max(o.attempts, json_extract(f.value, '$[2]')), json_extract(f.value, '$[3]'), json_extract(f.value, '$[1]'), ?2
  FROM json_each(?1) AS f
 CROSS JOIN outbox o ON o.id = json_extract(f.value, '$[0]')
 WHERE true
    ON CONFLICT (id) DO NOTHING
