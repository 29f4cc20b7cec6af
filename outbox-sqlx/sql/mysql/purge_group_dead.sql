-- The oldest of the groups' dead letters that died before ?1 (microseconds since 1970). Safe: reads only, at most ?2; each is
-- noted and locked by audit_group_dead.sql before it is removed.
SELECT d.group_id, d.queue_id, d.queue_offset, CONCAT('group:', g.name), t.name
  FROM outbox_group_dead d FORCE INDEX (outbox_group_dead_died_at)
 STRAIGHT_JOIN outbox_group g ON g.id = d.group_id
 STRAIGHT_JOIN outbox_queue q ON q.id = d.queue_id
 STRAIGHT_JOIN outbox_topic t ON t.id = q.topic_id
 WHERE d.died_at < TIMESTAMP'1970-01-01 00:00:00' + INTERVAL ?1 MICROSECOND
 ORDER BY d.died_at
 LIMIT ?2
