-- Makes the namespace. Safe: the first one stays.
INSERT INTO idempotency_namespace (id, namespace) VALUES (1, $1) ON CONFLICT DO NOTHING
