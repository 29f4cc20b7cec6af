-- First step of a whole key's redrive: locks its shard, and those that foreign code put its letters into, in
-- one order. Safe: at most 64 rows; no relay can bury or park meanwhile.
SELECT shard
  FROM outbox_shard
 WHERE shard = $3
    OR shard IN (SELECT CASE WHEN shard BETWEEN 0 AND 63 THEN shard ELSE 0 END
                   FROM outbox_dead
                  WHERE topic = $1 AND message_key = $2)
 ORDER BY shard
   FOR UPDATE
