-- Takes over a row that has expired, or whose holder gives no sign of life. Safe: only as it was read, by its epoch; the
-- former holder's epoch is not the row's any more.
UPDATE idempotency_ledger
   SET fingerprint = ?, state = 1, held_until = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND,
       expires_at = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND, epoch = ?, claimed_at = UTC_TIMESTAMP(6), answer = NULL
 WHERE scope = ? AND idempotency_key = ? AND epoch = ?
   AND (expires_at <= UTC_TIMESTAMP(6) OR state = 1 AND held_until <= UTC_TIMESTAMP(6))
