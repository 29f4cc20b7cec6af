-- Which of the library's tables are in the session's database. Safe: reads the catalogue only.
SELECT COALESCE(SUM(table_name = 'outbox'), 0) > 0, COALESCE(SUM(table_name = 'outbox_schema'), 0) > 0,
       COALESCE(SUM(table_name = '_outbox_migrations'), 0) > 0
  FROM information_schema.tables
 WHERE table_schema = DATABASE() AND table_name IN ('outbox', 'outbox_schema', '_outbox_migrations')
