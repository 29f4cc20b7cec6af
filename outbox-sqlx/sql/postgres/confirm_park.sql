-- Gives a message up that was sent as often as its sender allows and is not confirmed; $2: by whom. Safe: it stops waiting
-- in the same transaction; burying what is buried changes nothing.
INSERT INTO outbox_dead
       (id, message_id, shard, topic, message_key, payload, headers, created_at, attempts, last_error, reason)
SELECT id, message_id, shard, topic, message_key, payload, headers, created_at, attempts, $2, 'unconfirmed'
  FROM outbox_awaiting
 WHERE id = $1
ON CONFLICT (id) DO NOTHING
