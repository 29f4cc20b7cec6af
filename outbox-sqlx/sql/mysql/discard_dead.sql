-- Notes that a dead letter was given up, and why. Safe: the letter is deleted in the same transaction.
INSERT INTO outbox_discarded (id, message_id, topic, message_key, created_at, attempts, last_error, reason, discarded_by)
SELECT d.id, d.message_id, d.topic, d.message_key, d.created_at, d.attempts, d.last_error, ?2, ?3
  FROM outbox_dead d
 WHERE d.id = ?1
    ON DUPLICATE KEY UPDATE outbox_discarded.id = outbox_discarded.id
