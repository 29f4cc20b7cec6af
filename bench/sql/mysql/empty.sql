-- Back to the beginning: new, empty files for every table. Safe: only in the benchmark's own database.
TRUNCATE outbox; TRUNCATE bench_order; TRUNCATE bench_message; TRUNCATE bench_message_due
