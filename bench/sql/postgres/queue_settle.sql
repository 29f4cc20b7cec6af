-- Vacuums and analyses what a round wrote, so that the next one does not pay for it.
VACUUM (ANALYZE) outbox_queue_message, outbox_queue, outbox_group_queue, outbox_group_member, outbox_group, bench_log,
                 bench_cursor
