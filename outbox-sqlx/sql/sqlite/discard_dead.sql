-- Notes that a dead letter was given up, and why. Safe: the letter is deleted in the same transaction.
INSERT INTO outbox_discarded (id, message_id, topic, message_key, created_at, attempts, last_error, reason, discarded_by)
SELECT id, message_id, topic, message_key, created_at, attempts, last_error, $2, $3
  FROM outbox_dead
 WHERE id = $1
ON CONFLICT (id) DO NOTHING
