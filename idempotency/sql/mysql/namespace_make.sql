-- Makes the namespace. Safe: refused (error 1062) where there is one, and the first one stays.
INSERT INTO idempotency_namespace (id, namespace) VALUES (1, ?)
