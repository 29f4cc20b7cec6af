-- First step of what an operator does with one dead letter of a group: notes who does what and why. It also says whether the
-- letter is there and had died before $9 (microseconds since 1970). Safe: under the group's lock,
-- in a transaction that holds the write lock and does what is noted, or neither.
INSERT INTO outbox_audit (done_by, action, source, message_id, topic, message_key, attempts, last_error, reason)
SELECT $7, $6, $4, d.message_id, $5, d.message_key, d.attempts, d.last_error, $8
  FROM outbox_group_dead d
 WHERE d.group_id = $1
   AND d.queue_id = $2
   AND d.queue_offset = $3
   AND d.died_at < $9
