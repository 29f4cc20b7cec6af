-- Back to the beginning, for the queue's tables and the bare log. A table that another one refers to can't be truncated;
-- those are small. Safe: only in the benchmark's own database.
DELETE FROM outbox_group_queue;
DELETE FROM outbox_group_member;
DELETE FROM outbox_group;
DELETE FROM outbox_queue;
DELETE FROM outbox_topic;
TRUNCATE outbox_queue_message;
TRUNCATE outbox_delayed;
TRUNCATE outbox_group_retry;
TRUNCATE outbox_group_dead;
TRUNCATE bench_log;
TRUNCATE bench_cursor;
INSERT INTO bench_cursor VALUES (1, 0)
