-- The hot fetch: a relay that owns every shard, with nothing to leave out. Safe: one snapshot, no write lock;
-- two walks along an index that stop at their limit.
--
-- Due rows come first: they are few, and a page that is full by weight must not be full of fresh rows only.
SELECT *
  FROM (SELECT id, message_id, shard, topic, message_key, CAST(payload AS BLOB), headers, created_at, due_at, hold,
               attempts
          FROM outbox
         WHERE due_at <= ?7
           AND (due_at, id) > (?4, ?5)
           AND hold < 2
         ORDER BY due_at, id
         LIMIT ?6)
UNION ALL
SELECT *
  FROM (SELECT id, message_id, shard, topic, message_key, CAST(payload AS BLOB), headers, created_at, due_at, hold,
               attempts
          FROM outbox
         WHERE id > ?1
           AND id <= ?2
           AND due_at IS NULL
         ORDER BY id
         LIMIT ?3)
