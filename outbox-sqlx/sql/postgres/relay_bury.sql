-- Moves spent messages to the dead letters, and parks the keys of those that ask for it, in one statement.
-- Safe: run under the fence of relay_lock_shards; a row that is gone is not buried, and burying or parking
-- what is there already changes nothing.
WITH gone AS (
    DELETE FROM outbox o
     USING unnest($1::bigint[], $2::text[], $3::integer[], $4::text[]) AS f (id, reason, attempts, error)
     WHERE o.id = f.id
    RETURNING o.id, o.message_id, o.shard, o.topic, o.message_key, o.payload, o.headers, o.created_at,
              greatest(o.attempts, f.attempts) AS attempts, f.error, f.reason
), parked AS (
    INSERT INTO outbox_parked (topic, message_key, shard, error)
    SELECT topic, message_key, CASE WHEN shard BETWEEN 0 AND 63 THEN shard ELSE 0 END, error
      FROM gone
     WHERE reason = 'parked'
    ON CONFLICT (topic, message_key) DO NOTHING
), dead AS (
    INSERT INTO outbox_dead
           (id, message_id, shard, topic, message_key, payload, headers, created_at, attempts, last_error, reason)
    SELECT id, message_id, shard, topic, message_key, payload, headers, created_at, attempts, error, reason
      FROM gone
    ON CONFLICT (id) DO NOTHING
)
SELECT id FROM gone
