-- Notes that a blocked message was given up, and why. Safe: the message is deleted in the same transaction.
-- Found through the partial index, because a blocked row always has due_at.
INSERT INTO outbox_discarded (id, message_id, topic, message_key, created_at, attempts, last_error, reason, discarded_by)
SELECT id, message_id, topic, message_key, created_at, attempts, last_error, $2, $3
  FROM outbox
 WHERE due_at IS NOT NULL AND hold = 2 AND message_id = $1
 ORDER BY id
 LIMIT 1
ON CONFLICT (id) DO NOTHING
