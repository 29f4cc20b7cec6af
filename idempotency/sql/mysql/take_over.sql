-- Claims a key whose row has expired, in place. Safe: under the row's lock. Others that wait for the same have it in share
-- mode, so but for one they meet a deadlock and begin again.
/*M! SET STATEMENT innodb_lock_wait_timeout = {seconds} FOR */ UPDATE idempotency_ledger
   SET fingerprint = ?, claimed_at = UTC_TIMESTAMP(6), expires_at = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND,
       answer = NULL, state = 0, held_until = NULL, epoch = epoch + 1
 WHERE scope = ? AND idempotency_key = ? AND expires_at <= UTC_TIMESTAMP(6)
