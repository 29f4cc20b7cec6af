-- Back to the beginning. Safe: only in the benchmark's own database.
DELETE FROM outbox; DELETE FROM bench_order; DELETE FROM bench_message
