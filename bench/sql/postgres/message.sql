INSERT INTO bench_message (message_id, shard, topic, message_key, payload) VALUES ($1, $2, $3, $4, $5)
