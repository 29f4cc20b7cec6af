-- The namespace, if there is one yet. Safe: reads one row.
SELECT namespace FROM idempotency_namespace WHERE id = 1
