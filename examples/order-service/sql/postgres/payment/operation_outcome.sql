-- What came of what the provider did under a key.
SELECT outcome FROM gateway_operation WHERE idempotency_key = $1
