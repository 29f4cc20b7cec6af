-- Claims a key: true if it is the first. Safe: who decides is the unique index, and the lock timeout ends with the function.
SELECT idempotency_claim($1, $2, $3, $4, $5)
