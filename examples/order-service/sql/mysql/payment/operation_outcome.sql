-- What came of what the provider did under a key. Safe: reads only.
SELECT outcome FROM gateway_operation WHERE idempotency_key = ?
