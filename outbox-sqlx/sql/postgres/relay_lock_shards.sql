-- The fence: which of these shards this relay still owns, and under which epoch. FOR SHARE keeps a takeover
-- (and a redrive) of them waiting until this transaction ends, so what it writes down is seen by whoever comes
-- next. Safe from deadlock with another of its kind: shards are locked in order.
SELECT shard, epoch
  FROM outbox_shard
 WHERE shard = ANY ($2)
   AND owner = $1
 ORDER BY shard
   FOR SHARE
