-- Copies delivered rows (?1, a JSON list of ids) to the archive, before they are deleted by the same transaction. Safe to
-- repeat.
INSERT INTO outbox_archive (id, message_id, shard, topic, message_key, payload, headers, created_at, attempts)
SELECT o.id, o.message_id, o.shard, o.topic, o.message_key, o.payload, o.headers, o.created_at, o.attempts
  FROM JSON_TABLE(?1, '$[*]' COLUMNS (id BIGINT PATH '$')) AS delivered
 STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = delivered.id
    ON DUPLICATE KEY UPDATE outbox_archive.id = outbox_archive.id
