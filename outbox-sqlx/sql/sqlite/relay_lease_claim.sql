-- Claims up to ?5 shards that nobody holds, but none of the mask ?4, which were just given back. Safe: run
-- inside of BEGIN IMMEDIATE; the new epoch shuts out whoever held it before. The rewind goes, because a gained
-- shard is read from the beginning.
UPDATE outbox_shard
   SET owner = ?1, epoch = epoch + 1, lease_until = ?3, rewind_to = NULL
 WHERE shard IN (SELECT shard
                   FROM outbox_shard
                  WHERE (lease_until IS NULL OR lease_until <= ?2)
                    AND NOT (?4 >> shard) & 1
                  ORDER BY shard
                  LIMIT ?5)
RETURNING shard, epoch
