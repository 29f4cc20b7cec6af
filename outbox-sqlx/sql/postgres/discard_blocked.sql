-- Gives a blocked message up and remembers why; its key goes on. Safe: one statement, and no relay touches a
-- blocked row. Found through the partial index, because a blocked row always has due_at.
WITH gone AS (
    DELETE FROM outbox
     WHERE id = (SELECT id FROM outbox WHERE due_at IS NOT NULL AND hold = 2 AND message_id = $1 ORDER BY id LIMIT 1)
    RETURNING id, message_id, topic, message_key, created_at, attempts, last_error
), note AS (
    INSERT INTO outbox_discarded (id, message_id, topic, message_key, created_at, attempts, last_error, reason, discarded_by)
    SELECT gone.*, $2, $3 FROM gone
    ON CONFLICT (id) DO NOTHING
)
SELECT count(*) FROM gone
