-- Brings the statistics up to date, and writes to disk what is still to be written. Safe: the tables are locked for that
-- moment only.
ANALYZE TABLE outbox_queue_message, outbox_queue, outbox_group_queue, outbox_group_member, outbox_group, bench_log,
              bench_cursor;
FLUSH TABLES outbox_queue_message, outbox_queue, outbox_group_queue, outbox_group_member, outbox_group, bench_log,
             bench_cursor FOR EXPORT;
UNLOCK TABLES
