-- First step of a whole key's redrive: locks its shard, and those that foreign code put its letters into, in one order.
-- Safe: at most 64 rows; no relay can bury or park meanwhile.
SELECT s.shard
  FROM outbox_shard s
 WHERE s.shard = ?3
    OR s.shard IN (SELECT CASE WHEN d.shard BETWEEN 0 AND 63 THEN d.shard ELSE 0 END
                     FROM outbox_dead d
                    WHERE d.topic = ?1 AND d.message_key = ?2)
 ORDER BY s.shard
   FOR UPDATE
