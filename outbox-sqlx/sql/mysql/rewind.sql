-- First step of a redrive: locks the shard against a relay's burying and parking (they hold it in share mode), and makes
-- its owner read again from the row that comes back. Safe: one row.
UPDATE outbox_shard AS s, (SELECT ? AS shard, ? AS id) AS k
   SET s.rewind_to = LEAST(COALESCE(s.rewind_to, k.id), k.id)
 WHERE s.shard = k.shard
