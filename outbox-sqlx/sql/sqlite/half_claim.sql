-- Takes a half message for one check, as $2 and for $3 microseconds. Safe: whoever is first moves its time on, and a second
-- one finds that it is not due.
UPDATE outbox_half
   SET claim = $2, next_check_at = CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000 + $3
 WHERE message_id = $1
   AND next_check_at <= CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000
