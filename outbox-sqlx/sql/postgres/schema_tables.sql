-- Which of the library's tables are here, by the session's search path. Safe: reads the catalogue only.
SELECT to_regclass('outbox') IS NOT NULL, to_regclass('outbox_schema') IS NOT NULL,
       to_regclass('_outbox_migrations') IS NOT NULL
