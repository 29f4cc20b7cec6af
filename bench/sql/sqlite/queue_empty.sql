-- Back to the beginning. Safe: only in the benchmark's own database.
DELETE FROM outbox_queue_message; DELETE FROM outbox_delayed; DELETE FROM outbox_group_retry;
DELETE FROM outbox_group_dead; DELETE FROM outbox_group_queue; DELETE FROM outbox_group_member;
DELETE FROM outbox_group; DELETE FROM outbox_queue; DELETE FROM outbox_topic; DELETE FROM bench_log;
DELETE FROM bench_cursor;
INSERT INTO bench_cursor VALUES (1, 0)
