-- Which of the library's tables are here, by the session's search path. Safe: reads the catalogue only.
SELECT to_regclass('idempotency_ledger') IS NOT NULL, to_regclass('idempotency_schema') IS NOT NULL,
       to_regclass('_idempotency_migrations') IS NOT NULL
