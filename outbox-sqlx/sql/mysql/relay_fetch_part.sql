-- The fresh rows of a relay that reads some shards, or leaves keys or topics out. Safe: a walk along the primary key that
-- looks at no more than ?4 rows and stops at its limit; no lock. They come in the order of that walk (to ask for it
-- again would sort them), and the reader checks that ids grow.
SELECT o.id, o.message_id, o.shard, o.topic, o.message_key, o.payload, o.headers,
        COALESCE(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', o.created_at), 0),
        CASE WHEN o.due_at IS NOT NULL
             THEN COALESCE(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', o.due_at), -62135596800000000)
        END,
        o.hold, o.attempts
   FROM (SELECT id, shard, topic, message_key
           FROM outbox FORCE INDEX (PRIMARY)
          WHERE id > ?1
            AND id <= ?2
            AND due_at IS NULL
          ORDER BY id
          LIMIT ?4) AS scanned
  STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = scanned.id
  WHERE CASE WHEN scanned.shard BETWEEN 0 AND 63 THEN (?5 >> scanned.shard) & 1 ELSE ?6 END
    AND scanned.topic NOT IN (SELECT x.topic FROM JSON_TABLE(?8, '$[*]' COLUMNS (topic VARCHAR(255) PATH '$')) AS x)
    AND (scanned.message_key IS NULL
         OR (scanned.topic, scanned.message_key) NOT IN
            (SELECT x.topic, x.message_key
               FROM JSON_TABLE(?7, '$[*]' COLUMNS (topic VARCHAR(255) PATH '$[0]',
                                                   message_key VARCHAR(255) PATH '$[1]')) AS x))
  LIMIT ?3
