-- Which of the library's tables are here. Safe: reads the catalogue only.
SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'idempotency_ledger'),
       EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'idempotency_schema'),
       EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '_idempotency_migrations')
