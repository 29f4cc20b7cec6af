-- Keeps a half message, created at ?6 microseconds since 1970 (at most the end of the year 9999) and asked after in ?9
-- microseconds. Its delay, ?7 or ?8, begins with its commit. Safe: the primary key refuses a second one of its id, also of one
-- that has ended and is remembered.
INSERT INTO outbox_half (message_id, topic, message_key, payload, headers, created_at, due_after, due_at, next_check_at)
VALUES (?1, ?2, ?3, ?4, ?5, TIMESTAMP'1970-01-01 00:00:00' + INTERVAL LEAST(?6, 253402300799999999) MICROSECOND, ?7, ?8,
        UTC_TIMESTAMP(6) + INTERVAL ?9 MICROSECOND)
