-- First step of what an operator does with one dead letter: notes who does what and why. It also says whether the letter is
-- there and had died before $5 (microseconds since 1970). Safe: its row is locked to the end of the
-- transaction, which does what is noted or neither.
INSERT INTO outbox_audit (done_by, action, source, message_id, topic, message_key, attempts, last_error, reason)
SELECT $2::text, $1::text, 'outbox', d.message_id, d.topic, d.message_key, d.attempts, d.last_error, $3::text
  FROM outbox_dead d
 WHERE d.id = $4 AND d.died_at < timestamptz 'epoch' + $5::bigint * interval '1 microsecond'
   FOR UPDATE
