-- Gives one dead letter back with the id it had, so that it takes its old place in its key's order. Safe: the letter is
-- deleted in the same transaction; do nothing on conflict, because then it is there already.
INSERT INTO outbox (id, message_id, shard, topic, message_key, payload, headers, created_at)
SELECT d.id, d.message_id, d.shard, d.topic, d.message_key, d.payload, d.headers, d.created_at
  FROM outbox_dead d
 WHERE d.id = ?1
    ON DUPLICATE KEY UPDATE outbox.id = outbox.id
