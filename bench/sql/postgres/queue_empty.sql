-- Back to the beginning: new, empty files for the queue's tables and the bare log. Safe: only in the benchmark's own
-- database.
TRUNCATE outbox_queue_message, outbox_delayed, outbox_group, outbox_group_member, outbox_group_queue,
         outbox_group_retry, outbox_group_dead, outbox_topic, outbox_queue, bench_log, bench_cursor;
INSERT INTO bench_cursor VALUES (1, 0)
