-- Second step: makes the owners of those shards read again from the first row that comes back. Safe: the
-- shards are locked.
UPDATE outbox_shard s
   SET rewind_to = least(coalesce(s.rewind_to, first.id), first.id)
  FROM (SELECT CASE WHEN shard BETWEEN 0 AND 63 THEN shard ELSE 0 END AS shard, min(id) AS id
          FROM outbox_dead
         WHERE topic = $1 AND message_key = $2
         GROUP BY 1) AS first
 WHERE s.shard = first.shard
