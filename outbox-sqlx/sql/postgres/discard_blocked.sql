-- Gives a blocked message up and remembers why; its key goes on. Safe: one statement, and no relay touches a
-- blocked row.
WITH gone AS (
    DELETE FROM outbox WHERE id = $1 AND hold = 2
    RETURNING id, message_id, topic, message_key, created_at, attempts, last_error
), note AS (
    INSERT INTO outbox_discarded (id, message_id, topic, message_key, created_at, attempts, last_error, reason, discarded_by)
    SELECT gone.*, $2, $3 FROM gone
    ON CONFLICT (id) DO NOTHING
)
SELECT count(*) FROM gone
