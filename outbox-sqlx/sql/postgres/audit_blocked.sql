-- First step of what an operator does with a blocked message: notes who does what and why, and says whether it is blocked.
-- Safe: its row is locked to the end of the transaction, which does what is noted or neither.
INSERT INTO outbox_audit (done_by, action, source, message_id, topic, message_key, attempts, last_error, reason)
SELECT $2::text, $1::text, 'outbox', o.message_id, o.topic, o.message_key, o.attempts, o.last_error, $3::text
  FROM outbox o
 WHERE o.id = $4 AND o.hold = 2
   FOR UPDATE
