-- First step of what an operator does with one dead letter of a group: notes who does what and why. It also says whether the
-- letter is there and had died before $9 (microseconds since 1970). Safe: under the group's lock, and the letter's row is locked too, so
-- that its owner does not bury it again before the transaction has done what is noted.
INSERT INTO outbox_audit (done_by, action, source, message_id, topic, message_key, attempts, last_error, reason)
SELECT $7::text, $6::text, $4::text, d.message_id, $5::text, d.message_key, d.attempts, d.last_error, $8::text
  FROM outbox_group_dead d
 WHERE d.group_id = $1
   AND d.queue_id = $2
   AND d.queue_offset = $3
   AND d.died_at < timestamptz 'epoch' + $9::bigint * interval '1 microsecond'
   FOR UPDATE
