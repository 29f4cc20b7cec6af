-- Notes that dead letters older than $1 microseconds are given up, because a committed message must not vanish
-- without a word. Safe: at most $2; they are deleted in the same transaction, by their notes.
INSERT INTO outbox_discarded (id, message_id, topic, message_key, created_at, attempts, last_error, reason, discarded_by)
SELECT id, message_id, topic, message_key, created_at, attempts, last_error,
       'nobody decided within the retention of dead letters', 'retention'
  FROM outbox_dead
 WHERE died_at < CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000 - $1
 ORDER BY died_at
 LIMIT $2
ON CONFLICT (id) DO NOTHING
