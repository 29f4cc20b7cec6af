-- Moves rows of parked keys to the dead letters. Safe: run under the fence of relay_lock_shards; FOR SHARE
-- keeps a redrive from unparking the key meanwhile, and where it was faster the row stays.
WITH still AS MATERIALIZED (
    SELECT o.id
      FROM unnest($1::bigint[]) AS r (id)
      JOIN outbox o ON o.id = r.id
      JOIN outbox_parked p ON p.topic = o.topic AND p.message_key = o.message_key
       FOR SHARE OF p
), gone AS (
    DELETE FROM outbox o
     USING still
     WHERE o.id = still.id
    RETURNING o.id, o.message_id, o.shard, o.topic, o.message_key, o.payload, o.headers, o.created_at,
              o.attempts, o.last_error
), dead AS (
    INSERT INTO outbox_dead
           (id, message_id, shard, topic, message_key, payload, headers, created_at, attempts, last_error, reason)
    SELECT id, message_id, shard, topic, message_key, payload, headers, created_at, attempts, last_error, 'parked'
      FROM gone
    ON CONFLICT (id) DO NOTHING
)
SELECT id FROM gone
