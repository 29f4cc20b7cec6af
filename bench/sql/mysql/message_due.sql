INSERT INTO bench_message_due (message_id, shard, topic, message_key, payload) VALUES (?, ?, ?, ?, ?)
