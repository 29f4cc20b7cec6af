-- Writes one message with headers or a delay: microseconds from now by this database's clock, or at microseconds since
-- 1970. Safe: plain insert. The row of VALUES is repeated to write many at once.
INSERT INTO outbox (message_id, shard, topic, message_key, payload, headers, due_at) VALUES (?, ?, ?, ?, ?, ?, COALESCE(UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND, TIMESTAMP'1970-01-01 00:00:00' + INTERVAL ? MICROSECOND))
