-- Keeps a message, created at microseconds since 1970, until it is due: microseconds from now by this database's clock, or
-- at microseconds since 1970. Safe: plain insert. The row of VALUES is repeated to write many at once.
INSERT INTO outbox_delayed (topic_id, message_id, message_key, payload, headers, created_at, due_at) VALUES (?, ?, ?, ?, ?, TIMESTAMP'1970-01-01 00:00:00' + INTERVAL ? MICROSECOND, COALESCE(UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND, TIMESTAMP'1970-01-01 00:00:00' + INTERVAL ? MICROSECOND))
