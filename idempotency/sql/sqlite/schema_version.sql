-- The newest migration this database had, whichever tool ran it. Safe: reads a table of a few rows.
SELECT coalesce(max(version), 0) FROM idempotency_schema
