-- The fence: which shards this relay still owns, and under which epoch. Safe: read inside of BEGIN IMMEDIATE,
-- so nothing can take one over until this transaction ends.
SELECT shard, epoch FROM outbox_shard WHERE owner = ?1
