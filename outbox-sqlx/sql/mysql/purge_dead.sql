-- Notes that dead letters older than ?1 microseconds are given up, because a committed message must not vanish without
-- a word. Safe: at most ?2; they are deleted in the same transaction, by their notes. Noting twice changes nothing.
INSERT INTO outbox_discarded (id, message_id, topic, message_key, created_at, attempts, last_error, reason, discarded_by)
SELECT d.id, d.message_id, d.topic, d.message_key, d.created_at, d.attempts, d.last_error,
       'nobody decided within the retention of dead letters', 'retention'
  FROM outbox_dead d
 WHERE d.died_at < UTC_TIMESTAMP(6) - INTERVAL ?1 MICROSECOND
 ORDER BY d.died_at
 LIMIT ?2
    ON DUPLICATE KEY UPDATE outbox_discarded.id = outbox_discarded.id
