-- The newest migration this database had, whichever tool ran it. Safe: reads a table of a few rows.
SELECT CAST(COALESCE(MAX(version), 0) AS SIGNED) FROM idempotency_schema
