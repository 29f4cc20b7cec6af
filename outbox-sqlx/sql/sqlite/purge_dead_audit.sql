-- Notes in the audit which dead letters the next statement removes: of the $2 oldest that are older than $1 microseconds, those
-- that have a note. Safe: same transaction. One that only now gets old enough has no note, so it is not removed.
INSERT INTO outbox_audit (done_by, action, source, message_id, topic, message_key, attempts, last_error, reason)
SELECT 'retention', 'discarded', 'outbox', CASE length(d.message_id) WHEN 16 THEN d.message_id ELSE zeroblob(16) END, d.topic, d.message_key, d.attempts, d.last_error,
       'nobody decided within the retention of dead letters'
  FROM outbox_dead d
 WHERE d.id IN (SELECT id FROM outbox_dead WHERE died_at < CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000 - $1 ORDER BY died_at LIMIT $2)
   AND d.id IN (SELECT id FROM outbox_discarded)
