-- Back to the beginning: new, empty files for every table. Safe: only in the benchmark's own database.
TRUNCATE outbox, bench_order, bench_message
