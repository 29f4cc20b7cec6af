-- Gives the shards of the bit mask ?4 back, and renews the others until ?3. Safe: a lease that has run out is
-- not renewed and has to be claimed again, under a new epoch.
UPDATE outbox_shard
   SET owner = CASE WHEN (?4 >> shard) & 1 THEN NULL ELSE owner END,
       lease_until = CASE WHEN (?4 >> shard) & 1 THEN NULL ELSE ?3 END
 WHERE owner = ?1
   AND ((?4 >> shard) & 1 OR lease_until > ?2)
RETURNING shard, epoch, owner IS NOT NULL
