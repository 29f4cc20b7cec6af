-- Writes one message with headers or a delay: microseconds from now, or at microseconds since 1970.
-- Safe: plain insert. The row of VALUES is repeated to write many at once.
INSERT INTO outbox (message_id, shard, topic, message_key, payload, headers, due_at) VALUES (?, ?, ?, ?, ?, ?, coalesce(? + CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000, ?))
