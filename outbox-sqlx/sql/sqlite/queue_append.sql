-- Appends a message. Safe: at an offset that queue_append_place.sql has given.
INSERT INTO outbox_queue_message (queue_id, queue_offset, message_id, message_key, payload, headers, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)
