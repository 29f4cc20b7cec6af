-- Has a parked half message asked after again, at once and with its checks counted anew. Safe: run under half_lock, and only
-- of a parked one.
UPDATE outbox_half
   SET state = 'prepared', checks = 0, claim = NULL, next_check_at = CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000
 WHERE message_id = $1
   AND state = 'parked'
