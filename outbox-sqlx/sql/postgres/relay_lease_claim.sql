-- Claims up to $4 shards that nobody holds, but none of the mask $3, which were just given back. Safe: at most
-- one relay gets the row's lock and the condition is checked again under it; the new epoch shuts out whoever
-- held it before. The rewind goes, because a gained shard is read from the beginning.
WITH free AS MATERIALIZED (
    SELECT shard
      FROM outbox_shard
     WHERE (lease_until IS NULL OR lease_until <= clock_timestamp())
       AND ($3::bigint >> shard) & 1 = 0
     ORDER BY shard
     LIMIT $4
       FOR UPDATE SKIP LOCKED
)
UPDATE outbox_shard s
   SET owner = $1,
       epoch = s.epoch + 1,
       lease_until = clock_timestamp() + $2::bigint * interval '1 microsecond',
       rewind_to = NULL
  FROM free
 WHERE s.shard = free.shard
RETURNING s.shard, s.epoch
