-- Keeps a message until it is due, by this process's clock. Safe: plain insert.
INSERT INTO outbox_delayed (topic_id, message_id, message_key, payload, headers, created_at, due_at)
VALUES ($1, $2, $3, $4, $5, $6, coalesce(CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000 + $7, $8))
