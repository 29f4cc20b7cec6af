-- Gives one dead letter back with the id it had, so that it takes its old place in its key's order. Safe: the
-- letter goes and the message comes in one statement; do nothing on conflict, because then it is there already.
WITH gone AS (
    DELETE FROM outbox_dead WHERE id = $1
    RETURNING id, message_id, shard, topic, message_key, payload, headers, created_at
), back AS (
    INSERT INTO outbox (id, message_id, shard, topic, message_key, payload, headers, created_at)
    OVERRIDING SYSTEM VALUE
    SELECT id, message_id, shard, topic, message_key, payload, headers, created_at FROM gone
    ON CONFLICT (id) DO NOTHING
)
SELECT count(*) FROM gone
