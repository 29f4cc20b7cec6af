-- Gives a message back to the relay with the id it had, so that it takes its old place in its key's order; ?2: its headers,
-- which say how often it was sent again. Safe: it stops waiting in the same transaction; do nothing on conflict, because
-- then it is there already.
INSERT INTO outbox (id, message_id, shard, topic, message_key, payload, headers, created_at)
SELECT a.id, a.message_id, a.shard, a.topic, a.message_key, a.payload, ?2, a.created_at
  FROM outbox_awaiting a
 WHERE a.id = ?1
    ON DUPLICATE KEY UPDATE outbox.id = outbox.id
