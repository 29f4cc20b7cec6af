INSERT INTO bench_log (queue_id, message_id, message_key, payload, headers, created_at) VALUES (?, ?, ?, ?, ?, TIMESTAMP'1970-01-01 00:00:00' + INTERVAL ? MICROSECOND)
