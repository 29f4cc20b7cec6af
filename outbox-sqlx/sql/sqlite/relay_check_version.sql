-- The schema's version. Safe: read only.
SELECT coalesce(max(version), 0) FROM outbox_schema
