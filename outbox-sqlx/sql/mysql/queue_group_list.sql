-- All groups with what they have still to do, for people. Safe: reads only; retries, dead letters and delayed messages are
-- counted up to ?1 of each group: only where there is no row behind so many are they counted, because a subquery in FROM
-- can't be of one group on MariaDB.
SELECT g.name, g.paused,
       (SELECT COUNT(*) FROM outbox_group_member m WHERE m.group_id = g.id AND m.lease_until >= UTC_TIMESTAMP(6)),
       TIMESTAMPDIFF(MICROSECOND, '1970-01-01', g.seen_at),
       COALESCE((SELECT CAST(SUM(q.next_offset - o.read_offset) AS SIGNED)
                   FROM outbox_group_queue o JOIN outbox_queue q ON q.id = o.queue_id WHERE o.group_id = g.id), 0),
       CASE WHEN (SELECT 1 FROM outbox_group_retry r WHERE r.group_id = g.id LIMIT 1 OFFSET ?1) = 1 THEN ?1
            ELSE (SELECT COUNT(*) FROM outbox_group_retry r WHERE r.group_id = g.id)
       END,
       CASE WHEN (SELECT 1 FROM outbox_group_dead d WHERE d.group_id = g.id LIMIT 1 OFFSET ?1) = 1 THEN ?1
            ELSE (SELECT COUNT(*) FROM outbox_group_dead d WHERE d.group_id = g.id)
       END,
       CASE WHEN (SELECT 1 FROM outbox_delayed w
                   WHERE w.topic_id IN (SELECT q.topic_id FROM outbox_group_queue o
                                          JOIN outbox_queue q ON q.id = o.queue_id WHERE o.group_id = g.id)
                   LIMIT 1 OFFSET ?1) = 1 THEN ?1
            ELSE (SELECT COUNT(*) FROM outbox_delayed w
                   WHERE w.topic_id IN (SELECT q.topic_id FROM outbox_group_queue o
                                          JOIN outbox_queue q ON q.id = o.queue_id WHERE o.group_id = g.id))
       END
  FROM outbox_group g
 WHERE ?2 IS NULL OR g.name = ?2
 ORDER BY g.name
