-- The fetch of a relay that reads some shards, or leaves keys or topics out. Safe: one snapshot, no write lock;
-- it looks at no more than ?4 fresh rows, and tells exactly how far it looked although it may have wanted none.
--
-- `scanned` is walked again by each of its readers, which is cheap here, and only as far as each asks: once ?3
-- wanted rows are found, the last branch's condition is false and nothing more is scanned.
WITH excluded_key (topic, message_key) AS MATERIALIZED (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?7)
), excluded_topic (topic) AS MATERIALIZED (
    SELECT value FROM json_each(?8)
), scanned AS NOT MATERIALIZED (
    SELECT id, shard, topic, message_key
      FROM outbox
     WHERE id > ?1
       AND id <= ?2
       AND due_at IS NULL
     ORDER BY id
     LIMIT ?4
), wanted AS NOT MATERIALIZED (
    SELECT id
      FROM scanned
     WHERE CASE WHEN shard BETWEEN 0 AND 63 THEN (?5 >> shard) & 1 ELSE ?6 END
       AND topic NOT IN (SELECT topic FROM excluded_topic)
       AND (message_key IS NULL
            OR (topic, message_key) NOT IN (SELECT topic, message_key FROM excluded_key))
     LIMIT ?3
)
-- A row that waits for its retry comes although its key is left out: it is what holds the key. A shard number
-- out of range counts as 0 here, whatever the pass: such a row was taken once and must not wait for the next
-- full pass at each retry.
SELECT *
  FROM (SELECT id, message_id, shard, topic, message_key, CAST(payload AS BLOB), headers, created_at, due_at, hold,
               attempts
          FROM outbox
         WHERE due_at <= ?9
           AND (due_at, id) > (?10, ?11)
           AND hold < 2
           AND (?13 >> CASE WHEN shard BETWEEN 0 AND 63 THEN shard ELSE 0 END) & 1
           AND (hold = 1
                OR topic NOT IN (SELECT topic FROM excluded_topic)
                   AND (message_key IS NULL
                        OR (topic, message_key) NOT IN (SELECT topic, message_key FROM excluded_key)))
         ORDER BY due_at, id
         LIMIT ?12)
UNION ALL
SELECT *
  FROM (SELECT o.id, o.message_id, o.shard, o.topic, o.message_key, CAST(o.payload AS BLOB), o.headers, o.created_at,
               o.due_at, o.hold, o.attempts
          FROM wanted
         CROSS JOIN outbox o ON o.id = wanted.id)
UNION ALL
-- Only where all of `scanned` was looked through: the last id looked at, and how many were.
SELECT max(id), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, count(*)
  FROM scanned
HAVING (SELECT count(*) FROM wanted) < ?3
