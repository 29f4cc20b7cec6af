-- Whether there are books of migrations, in which a half-done one may stand. Safe: reads the catalogue only.
SELECT COUNT(*) > 0
  FROM information_schema.tables
 WHERE table_schema = DATABASE() AND table_name = '_idempotency_migrations'
