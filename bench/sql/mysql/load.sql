INSERT INTO outbox (message_id, shard, topic, message_key, payload) VALUES (?, ?, ?, ?, ?)
