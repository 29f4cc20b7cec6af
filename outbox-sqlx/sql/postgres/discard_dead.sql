-- Gives a dead letter up and remembers why. Safe: the letter goes and the note comes in one statement.
WITH gone AS (
    DELETE FROM outbox_dead WHERE id = $1
    RETURNING id, message_id, topic, message_key, created_at, attempts, last_error
), note AS (
    INSERT INTO outbox_discarded (id, message_id, topic, message_key, created_at, attempts, last_error, reason, discarded_by)
    SELECT gone.*, $2, $3 FROM gone
    ON CONFLICT (id) DO NOTHING
)
SELECT count(*) FROM gone
