-- Takes a half message for one check, as ?2 and for ?3 microseconds. Safe: whoever is first moves its time on, and a second
-- one finds that it is not due.
UPDATE outbox_half
   SET claim = ?2, next_check_at = UTC_TIMESTAMP(6) + INTERVAL ?3 MICROSECOND
 WHERE message_id = ?1
   AND next_check_at <= UTC_TIMESTAMP(6)
