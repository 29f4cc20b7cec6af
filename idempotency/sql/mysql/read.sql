-- What stands there for a key that could not be claimed. Safe: a locking read, because a plain one under REPEATABLE READ
-- looks at the snapshot of the transaction's beginning and finds nothing.
/*M! SET STATEMENT innodb_lock_wait_timeout = {seconds} FOR */ SELECT fingerprint, state <> 0, expires_at <= UTC_TIMESTAMP(6), answer
  FROM idempotency_ledger
 WHERE scope = ? AND idempotency_key = ?
  LOCK IN SHARE MODE
