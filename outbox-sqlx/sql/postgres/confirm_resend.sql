-- Gives a message back to the relay with the id it had, so that it takes its old place in its key's order; $2: its headers,
-- which say how often it was sent again. Safe: it stops waiting in the same transaction; do nothing on conflict, because
-- then it is there already.
INSERT INTO outbox (id, message_id, shard, topic, message_key, payload, headers, created_at)
OVERRIDING SYSTEM VALUE
SELECT id, message_id, shard, topic, message_key, payload, $2::json, created_at FROM outbox_awaiting WHERE id = $1
ON CONFLICT (id) DO NOTHING
