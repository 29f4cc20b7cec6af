-- Appends a message, created at microseconds since 1970. Safe: at an offset that queue_append_places.sql has given. The row
-- of VALUES is repeated to write many at once.
INSERT INTO outbox_queue_message (queue_id, queue_offset, message_id, message_key, payload, headers, created_at) VALUES (?, ?, ?, ?, ?, ?, TIMESTAMP'1970-01-01 00:00:00' + INTERVAL ? MICROSECOND)
