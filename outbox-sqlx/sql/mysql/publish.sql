-- Writes one message that is due at once and has no headers. Safe: plain insert; the rest has defaults. The row of
-- VALUES is repeated to write many at once.
INSERT INTO outbox (message_id, shard, topic, message_key, payload) VALUES (?, ?, ?, ?, ?)
