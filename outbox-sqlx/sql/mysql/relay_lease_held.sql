-- The shards that this relay holds, with their epochs. Safe: read in the transaction that renewed and claimed them.
SELECT shard, epoch FROM outbox_shard WHERE owner = ?1 AND lease_until > UTC_TIMESTAMP(6) ORDER BY shard
