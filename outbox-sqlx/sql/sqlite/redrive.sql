-- Gives one dead letter back with the id it had, so that it takes its old place in its key's order. Safe: the
-- letter is deleted in the same transaction; do nothing on conflict, because then it is there already.
INSERT INTO outbox (id, message_id, shard, topic, message_key, payload, headers, created_at)
SELECT id, message_id, shard, topic, message_key, payload, headers, created_at FROM outbox_dead WHERE id = $1
ON CONFLICT (id) DO NOTHING
