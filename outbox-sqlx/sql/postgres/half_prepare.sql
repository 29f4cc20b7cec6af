-- Keeps a half message, created at $6 microseconds since 1970 and asked after in $9 microseconds. Its delay, $7 or $8, begins
-- with its commit. Safe: the primary key refuses a second one of its id, also of one that has ended and is remembered.
INSERT INTO outbox_half (message_id, topic, message_key, payload, headers, created_at, due_after, due_at, next_check_at)
VALUES ($1, $2, $3, $4, $5::text::json, timestamptz 'epoch' + $6 * interval '1 microsecond', $7, $8,
        clock_timestamp() + $9 * interval '1 microsecond')
