INSERT INTO bench_log (queue_id, message_id, message_key, payload, headers, created_at) VALUES (?, ?, ?, ?, ?, ?)
