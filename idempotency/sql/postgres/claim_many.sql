-- Claims the keys $2; answers those that are the first. Safe: as one key.
SELECT idempotency_claim_many($1, $2, $3, $4)
