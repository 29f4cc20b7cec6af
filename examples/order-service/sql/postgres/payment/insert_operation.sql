-- The provider does something under a key: once, however often it is asked.
INSERT INTO gateway_operation (idempotency_key, charge_key, kind, amount, outcome) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (idempotency_key) DO NOTHING
