-- Takes over a row that has expired, or whose holder gives no sign of life. Safe: only as it was read, by its epoch; the
-- former holder's epoch is not the row's any more.
UPDATE idempotency_ledger
   SET fingerprint = ?3, state = 1, held_until = CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000 + ?4,
       expires_at = CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000 + ?5, epoch = ?6, claimed_at = CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000, answer = NULL
 WHERE scope = ?1 AND idempotency_key = ?2 AND epoch = ?7
   AND (expires_at <= CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000 OR state = 1 AND held_until <= CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000)
