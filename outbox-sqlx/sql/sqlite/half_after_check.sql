-- What follows from a check by claim $2 that did not decide: $3 is 1 if it was answered and counts, $4 the state, $5 the
-- microseconds to the next check (NULL when it is parked), $6 what was said. Safe: nothing is changed when it has ended, or
-- somebody else has claimed it since.
UPDATE outbox_half
   SET state = $4, checks = checks + $3, claim = NULL, next_check_at = CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000 + $5,
       last_error = $6
 WHERE message_id = $1
   AND state = 'prepared'
   AND claim = $2
