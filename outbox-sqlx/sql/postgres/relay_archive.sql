-- Moves delivered rows to the archive, in one statement. Safe to repeat, and for two settlers of one row:
-- one of them moves it, the other finds nothing.
WITH gone AS (
    DELETE FROM outbox
     WHERE id = ANY ($1)
    RETURNING id, message_id, shard, topic, message_key, payload, headers, created_at, attempts
)
INSERT INTO outbox_archive (id, message_id, shard, topic, message_key, payload, headers, created_at, attempts)
SELECT id, message_id, shard, topic, message_key, payload, headers, created_at, attempts FROM gone
ON CONFLICT (id) DO NOTHING
