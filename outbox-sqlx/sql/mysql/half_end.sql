-- Ends a half message that is in state ?2 as ?3 says, by whom (?4) and why (?5) where an operator did, and lets go of its
-- content. Safe: run under half_lock, in the transaction that appends it where it is committed, and only from that state.
UPDATE outbox_half
   SET state = ?3, payload = NULL, headers = NULL, claim = NULL, next_check_at = NULL, ended_at = UTC_TIMESTAMP(6),
       ended_by = ?4, reason = ?5
 WHERE message_id = ?1
   AND state = ?2
