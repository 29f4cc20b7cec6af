-- Gives up dead letters older than $1 microseconds. Safe: at most $2, and each leaves a note and a line in the audit,
-- because a committed message must not vanish without a word.
WITH gone AS (
    DELETE FROM outbox_dead
     WHERE id IN (SELECT id FROM outbox_dead
                   WHERE died_at < now() - $1::bigint * interval '1 microsecond'
                   ORDER BY died_at
                   LIMIT $2)
    RETURNING id, message_id, topic, message_key, created_at, attempts, last_error
), note AS (
    INSERT INTO outbox_discarded (id, message_id, topic, message_key, created_at, attempts, last_error, reason, discarded_by)
    SELECT gone.*, 'nobody decided within the retention of dead letters', 'retention' FROM gone
    ON CONFLICT (id) DO NOTHING
), audit AS (
    INSERT INTO outbox_audit (done_by, action, source, message_id, topic, message_key, attempts, last_error, reason)
    SELECT 'retention', 'discarded', 'outbox', message_id, topic, message_key, attempts, last_error,
           'nobody decided within the retention of dead letters'
      FROM gone
)
SELECT count(*) FROM gone
