-- The hot fetch where no due rows are asked for, as in most pages of a drain: the second half of relay_fetch.sql. A
-- statement of its own, because MariaDB puts the rows of a UNION into a temporary table before it sends the first one.
-- Safe: one statement and so one snapshot, no lock; a walk along the primary key that stops at its limit.
SELECT id, message_id, shard, topic, message_key, payload, headers,
       COALESCE(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', created_at), 0),
       NULL, hold, attempts
  FROM outbox FORCE INDEX (PRIMARY)
 WHERE id > ?1
   AND id <= ?2
   AND due_at IS NULL
 ORDER BY id
 LIMIT ?3
