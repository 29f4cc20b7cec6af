-- The highest id handed out so far, visible or not; 0 before the first. Safe: reads the sequence without
-- moving it.
SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('outbox', 'id')::regclass), 0)
