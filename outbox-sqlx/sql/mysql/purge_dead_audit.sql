-- Notes in the audit which dead letters the next statement removes: those older than ?1 microseconds that have a note. Safe:
-- same transaction; at most ?2 of them, the oldest. One that only now gets old enough has no note, so it is not removed.
INSERT INTO outbox_audit (done_by, action, source, message_id, topic, message_key, attempts, last_error, reason)
SELECT 'retention', 'discarded', 'outbox', d.message_id, d.topic, d.message_key, d.attempts, d.last_error,
       'nobody decided within the retention of dead letters'
  FROM outbox_dead d
 WHERE d.died_at < UTC_TIMESTAMP(6) - INTERVAL ?1 MICROSECOND
   AND d.id IN (SELECT id FROM outbox_discarded)
 ORDER BY d.died_at
 LIMIT ?2
