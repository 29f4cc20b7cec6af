-- First step of what an operator does with one dead letter: notes who does what and why. It also says whether the letter is
-- there and had died before the last parameter (microseconds since 1970). Safe: its row is locked to the end of the
-- transaction, which does what is noted or neither.
INSERT INTO outbox_audit (action, done_by, source, message_id, topic, message_key, attempts, last_error, reason)
SELECT ?, ?, 'outbox', d.message_id, d.topic, d.message_key, d.attempts, d.last_error, ?
  FROM outbox_dead d
 WHERE d.id = ? AND d.died_at < TIMESTAMP'1970-01-01 00:00:00' + INTERVAL ? MICROSECOND
   FOR UPDATE
