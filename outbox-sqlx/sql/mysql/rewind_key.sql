-- Second step: makes the owners of those shards read again from the first row that comes back. Safe: the shards are
-- locked.
UPDATE (SELECT CASE WHEN shard BETWEEN 0 AND 63 THEN shard ELSE 0 END AS shard, MIN(id) AS id
          FROM outbox_dead
         WHERE topic = ?1 AND message_key = ?2
         GROUP BY 1) AS first
 STRAIGHT_JOIN outbox_shard s FORCE INDEX (PRIMARY) ON s.shard = first.shard
   SET s.rewind_to = LEAST(COALESCE(s.rewind_to, first.id), first.id)
