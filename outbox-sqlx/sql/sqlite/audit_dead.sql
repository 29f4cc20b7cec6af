-- First step of what an operator does with one dead letter: notes who does what and why. It also says whether the letter is
-- there and had died before $5 (microseconds since 1970). Safe: the transaction, which holds the
-- write lock, does what is noted or neither.
INSERT INTO outbox_audit (done_by, action, source, message_id, topic, message_key, attempts, last_error, reason)
SELECT $2, $1, 'outbox', CASE length(d.message_id) WHEN 16 THEN d.message_id ELSE zeroblob(16) END, d.topic, d.message_key, d.attempts, d.last_error, $3
  FROM outbox_dead d
 WHERE d.id = $4 AND d.died_at < $5
