-- Writes one message that is due at once and has no headers: the usual one, so the shortest statement.
-- Safe: plain insert; all other columns have defaults.
INSERT INTO outbox (message_id, shard, topic, message_key, payload) VALUES ($1, $2, $3, $4, $5)
