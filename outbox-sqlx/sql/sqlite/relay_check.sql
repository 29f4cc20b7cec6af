-- Tells whether the tables are there, and which file the database is in (none: it lives in memory). Safe: it
-- only looks into the catalogue.
SELECT (SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('outbox', 'outbox_schema')) = 2,
       (SELECT coalesce(file, '') = '' FROM pragma_database_list WHERE name = 'main')
