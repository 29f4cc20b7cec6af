INSERT INTO bench_message (message_id, shard, topic, message_key, payload) VALUES (?, ?, ?, ?, ?)
