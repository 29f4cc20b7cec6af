-- Which of the library's tables are here. Safe: reads the catalogue only.
SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'outbox'),
       EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'outbox_schema'),
       EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '_outbox_migrations')
