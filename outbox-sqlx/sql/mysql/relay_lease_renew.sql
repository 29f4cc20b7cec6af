-- Gives the shards of the bit mask ?3 back, and renews the others. Safe: a lease that has run out is not renewed (another
-- may be taking it right now) and has to be claimed again, under a new epoch.
UPDATE outbox_shard
   SET owner = CASE WHEN (?3 >> shard) & 1 THEN NULL ELSE owner END,
       lease_until = CASE WHEN (?3 >> shard) & 1 THEN NULL ELSE UTC_TIMESTAMP(6) + INTERVAL ?2 MICROSECOND END
 WHERE owner = ?1
   AND ((?3 >> shard) & 1 OR lease_until > UTC_TIMESTAMP(6))
