-- The oldest of the groups' dead letters that died before $1 (microseconds since 1970). Safe: reads only, at most $2; each is
-- noted by audit_group_dead.sql in the transaction that removes it.
SELECT d.group_id, d.queue_id, d.queue_offset, 'group:' || g.name, t.name
  FROM outbox_group_dead d
  JOIN outbox_group g ON g.id = d.group_id
  JOIN outbox_queue q ON q.id = d.queue_id
  JOIN outbox_topic t ON t.id = q.topic_id
 WHERE d.died_at < $1
 ORDER BY d.died_at
 LIMIT $2
