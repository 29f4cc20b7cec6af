-- Claims all keys of the JSON array, if all are the first; else it is refused (error 1062) and claims none. Safe: who decides
-- is the unique index.
/*M! SET STATEMENT innodb_lock_wait_timeout = {seconds} FOR */ INSERT INTO idempotency_ledger (scope, idempotency_key, expires_at)
SELECT ?, k.name, UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND
  FROM JSON_TABLE(?, '$[*]' COLUMNS (name VARCHAR(255) PATH '$' ERROR ON ERROR)) k
