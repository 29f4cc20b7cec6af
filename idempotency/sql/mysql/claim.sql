-- Claims a key: it succeeds if it is the first, and is refused (error 1062) if another transaction's row is there, for whose end
-- it waits. Safe: who decides is the unique index. No IGNORE, which would cut a key that is too long and call it a duplicate.
-- MariaDB waits at most {seconds}; MySQL knows no timeout of one statement and waits as long as the session does.
/*M! SET STATEMENT innodb_lock_wait_timeout = {seconds} FOR */ INSERT INTO idempotency_ledger (scope, idempotency_key, fingerprint, expires_at)
VALUES (?, ?, ?, UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND)
