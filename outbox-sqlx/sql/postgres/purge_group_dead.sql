-- Gives up consumer groups' dead letters older than $1 microseconds. Safe: at most $2, and each leaves a line in the audit,
-- because a message must not vanish without a word.
WITH gone AS (
    DELETE FROM outbox_group_dead
     WHERE (group_id, queue_id, queue_offset) IN (
           SELECT group_id, queue_id, queue_offset
             FROM outbox_group_dead
            WHERE died_at < now() - $1::bigint * interval '1 microsecond'
            ORDER BY died_at
            LIMIT $2)
    RETURNING group_id, queue_id, message_id, message_key, attempts, last_error
), audit AS (
    INSERT INTO outbox_audit (done_by, action, source, message_id, topic, message_key, attempts, last_error, reason)
    SELECT 'retention', 'discarded', 'group:' || g.name, gone.message_id, t.name, gone.message_key, gone.attempts, gone.last_error,
           'nobody decided within the retention of dead letters'
      FROM gone
      JOIN outbox_group g ON g.id = gone.group_id
      JOIN outbox_queue q ON q.id = gone.queue_id
      JOIN outbox_topic t ON t.id = q.topic_id
)
SELECT count(*) FROM gone
