-- Third step: gives all dead letters of the key back with the ids they had. Safe: one statement, see redrive.sql.
WITH gone AS (
    DELETE FROM outbox_dead WHERE topic = $1 AND message_key = $2
    RETURNING id, message_id, shard, topic, message_key, payload, headers, created_at
), back AS (
    INSERT INTO outbox (id, message_id, shard, topic, message_key, payload, headers, created_at)
    OVERRIDING SYSTEM VALUE
    SELECT id, message_id, shard, topic, message_key, payload, headers, created_at FROM gone
    ON CONFLICT (id) DO NOTHING
)
SELECT count(*) FROM gone
