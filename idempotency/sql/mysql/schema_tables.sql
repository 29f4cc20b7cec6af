-- Which of the library's tables are in the session's database. Safe: reads the catalogue only.
SELECT COALESCE(SUM(table_name = 'idempotency_ledger'), 0) > 0, COALESCE(SUM(table_name = 'idempotency_schema'), 0) > 0,
       COALESCE(SUM(table_name = '_idempotency_migrations'), 0) > 0
  FROM information_schema.tables
 WHERE table_schema = DATABASE() AND table_name IN ('idempotency_ledger', 'idempotency_schema', '_idempotency_migrations')
