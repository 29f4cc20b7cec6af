-- The fresh rows of a relay that reads every shard, with nothing to leave out. Safe: a walk along the primary
-- key that stops at its limit; no write lock.
SELECT id, message_id, shard, topic, message_key, CAST(payload AS BLOB), headers, created_at, due_at, hold, attempts
  FROM outbox
 WHERE id > ?1
   AND id <= ?2
   AND due_at IS NULL
 ORDER BY id
 LIMIT ?3
