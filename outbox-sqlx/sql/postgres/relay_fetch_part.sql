-- The fetch of a relay that owns some shards, or leaves keys or topics out. Safe: one snapshot, no lock; it
-- looks at no more than $4 fresh rows, and tells exactly how far it looked although none may be its own.
--
-- `scanned` is narrow (a wide one would be copied to disk) and is read only as far as its readers ask: once
-- $3 wanted rows are found, the last branch's condition is false and nothing more is scanned. The first walk
-- and the wanted rows come out in the order of the index; the reader checks that ids grow.
WITH scanned AS MATERIALIZED (
    SELECT id,
           CASE WHEN shard BETWEEN 0 AND 63 THEN ($5::bigint >> shard) & 1 = 1 ELSE $6::boolean END
           AND topic <> ALL ($9::text[])
           AND CASE WHEN message_key IS NULL THEN true
                    ELSE (topic, message_key) NOT IN (SELECT * FROM unnest($7::text[], $8::text[]))
               END AS wanted
      FROM outbox
     WHERE id > $1
       AND id <= $2
       AND due_at IS NULL
     ORDER BY id
     LIMIT $4
)
-- A row that waits for its retry comes although its key is left out: it is what holds the key. A shard number
-- out of range counts as 0 here, whatever the pass: such a row was taken once and must not wait for the next
-- full pass at each retry.
(SELECT id, message_id, shard, topic, message_key, payload, headers, created_at, due_at, hold, attempts
   FROM outbox
  WHERE due_at <= now()
    AND (due_at, id) > ($10, $11)
    AND hold < 2
    AND ($13::bigint >> CASE WHEN shard BETWEEN 0 AND 63 THEN shard ELSE 0 END) & 1 = 1
    AND (hold = 1
         OR topic <> ALL ($9::text[])
            AND CASE WHEN message_key IS NULL THEN true
                     ELSE (topic, message_key) NOT IN (SELECT * FROM unnest($7::text[], $8::text[]))
                END)
  ORDER BY due_at, id
  LIMIT $12)
UNION ALL
(SELECT o.id, o.message_id, o.shard, o.topic, o.message_key, o.payload, o.headers, o.created_at, o.due_at,
        o.hold, o.attempts
   FROM (SELECT id FROM scanned WHERE wanted LIMIT $3::bigint) AS mine
   JOIN outbox o ON o.id = mine.id)
UNION ALL
-- Only where all of `scanned` was looked through: the last id looked at, and how many were.
(SELECT max(id), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, count(*)::integer
   FROM scanned
 HAVING (SELECT count(*) FROM (SELECT FROM scanned WHERE wanted LIMIT $3::bigint) AS mine) < $3)
