-- Locks up to ?2 shards that nobody holds, but none of the mask ?1, which were just given back. Safe: SKIP LOCKED, so
-- that two relays that claim at the same time get different ones and don't wait for each other.
SELECT shard
  FROM outbox_shard
 WHERE (lease_until IS NULL OR lease_until <= UTC_TIMESTAMP(6))
   AND NOT (?1 >> shard) & 1
 ORDER BY shard
 LIMIT ?2
   FOR UPDATE SKIP LOCKED
