-- The fresh rows of a relay that reads some shards, or leaves keys or topics out. Safe: a walk along the primary
-- key that looks at no more than ?4 rows and stops at its limit; no write lock. They come in the order of that
-- walk (to ask for it again would sort them), and the reader checks that ids grow.
SELECT o.id, o.message_id, o.shard, o.topic, o.message_key, CAST(o.payload AS BLOB), o.headers, o.created_at,
       o.due_at, o.hold, o.attempts
  FROM (SELECT id, shard, topic, message_key
          FROM outbox
         WHERE id > ?1
           AND id <= ?2
           AND due_at IS NULL
         ORDER BY id
         LIMIT ?4) AS scanned
 CROSS JOIN outbox o ON o.id = scanned.id
 WHERE CASE WHEN scanned.shard BETWEEN 0 AND 63 THEN (?5 >> scanned.shard) & 1 ELSE ?6 END
   AND scanned.topic NOT IN (SELECT value FROM json_each(?8))
   AND (scanned.message_key IS NULL
        OR (scanned.topic, scanned.message_key) NOT IN (SELECT json_extract(value, '$[0]'),
                                                               json_extract(value, '$[1]')
                                                          FROM json_each(?7)))
 LIMIT ?3
