-- Writes many messages that are due at once and have no headers. Safe: one statement, all or none; ids are
-- assigned in the arrays' order. Arrays, so that one prepared statement serves every number of messages.
INSERT INTO outbox (message_id, shard, topic, message_key, payload)
SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::text[], $4::text[], $5::bytea[])
