-- First step of a whole key's redrive: makes the owners of its letters' shards read again from the first row that
-- comes back. Safe: in a transaction that holds the write lock.
UPDATE outbox_shard AS s
   SET rewind_to = min(coalesce(s.rewind_to, first.id), first.id)
  FROM (SELECT CASE WHEN shard BETWEEN 0 AND 63 THEN shard ELSE 0 END AS shard, min(id) AS id
          FROM outbox_dead
         WHERE topic = $1 AND message_key = $2
         GROUP BY 1) AS first
 WHERE s.shard = first.shard
