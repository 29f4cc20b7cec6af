-- Notes that a blocked message was given up, and why. Safe: the message is deleted in the same transaction, and no relay
-- touches a blocked row.
INSERT INTO outbox_discarded (id, message_id, topic, message_key, created_at, attempts, last_error, reason, discarded_by)
SELECT o.id, o.message_id, o.topic, o.message_key, o.created_at, o.attempts, o.last_error, ?2, ?3
  FROM outbox o
 WHERE o.id = ?1 AND o.hold = 2
    ON DUPLICATE KEY UPDATE outbox_discarded.id = outbox_discarded.id
