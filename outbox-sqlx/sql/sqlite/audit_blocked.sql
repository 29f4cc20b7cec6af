-- First step of what an operator does with a blocked message: notes who does what and why, and says whether it is blocked.
-- Safe: the transaction, which holds the write lock, does what is noted or neither.
INSERT INTO outbox_audit (done_by, action, source, message_id, topic, message_key, attempts, last_error, reason)
SELECT $2, $1, 'outbox', CASE length(o.message_id) WHEN 16 THEN o.message_id ELSE zeroblob(16) END, o.topic, o.message_key, o.attempts, o.last_error, $3
  FROM outbox o
 WHERE o.id = $4 AND o.hold = 2
