-- Claims a key whose row has expired, in place. Safe: this transaction is the only writer.
UPDATE idempotency_ledger
   SET fingerprint = ?1, claimed_at = CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000,
       expires_at = CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000 + ?2,
       answer = NULL, state = 0, held_until = NULL, epoch = epoch + 1
 WHERE scope = ?3 AND idempotency_key = ?4 AND expires_at <= CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000
