-- Writes one message that is due at once, with headers. Safe: plain insert.
INSERT INTO outbox (message_id, shard, topic, message_key, payload, headers) VALUES ($1, $2, $3, $4, $5, $6::json)
