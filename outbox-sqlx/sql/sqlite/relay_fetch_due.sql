-- The due rows. Safe: a walk along their index that stops at its limit; no write lock.
--
-- A row that waits for its retry comes although its key is left out: it is what holds the key. A shard number
-- out of range counts as 0, whatever the pass: such a row was taken once and must not wait for the next full
-- pass at each retry.
SELECT id, message_id, shard, topic, message_key, CAST(payload AS BLOB), headers, created_at, due_at, hold, attempts
  FROM outbox
 WHERE due_at <= ?1
   AND (due_at, id) > (?2, ?3)
   AND hold < 2
   AND (?5 >> CASE WHEN shard BETWEEN 0 AND 63 THEN shard ELSE 0 END) & 1
   AND (hold = 1
        OR topic NOT IN (SELECT value FROM json_each(?7))
           AND (message_key IS NULL
                OR (topic, message_key) NOT IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]')
                                                  FROM json_each(?6))))
 ORDER BY due_at, id
 LIMIT ?4
