-- Claims a key whose row has expired, in place. Safe: under the row's lock; who comes second finds it not expired any more.
SELECT idempotency_take_over($1, $2, $3, $4, $5)
