-- All groups with what they have still to do, for people. Safe: reads only; retries and dead letters are counted up to
-- $1 of each group.
SELECT g.name, g.paused,
       (SELECT count(*) FROM outbox_group_member m WHERE m.group_id = g.id AND m.lease_until >= CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000),
       g.seen_at,
       coalesce((SELECT sum(q.next_offset - o.read_offset)
                   FROM outbox_group_queue o JOIN outbox_queue q ON q.id = o.queue_id WHERE o.group_id = g.id), 0),
       (SELECT count(*) FROM (SELECT 1 FROM outbox_group_retry r WHERE r.group_id = g.id LIMIT $1) AS retries),
       (SELECT count(*) FROM (SELECT 1 FROM outbox_group_dead d WHERE d.group_id = g.id LIMIT $1) AS dead),
       (SELECT count(*) FROM (SELECT 1 FROM outbox_delayed w
                               WHERE w.topic_id IN (SELECT q.topic_id FROM outbox_group_queue o
                                                      JOIN outbox_queue q ON q.id = o.queue_id WHERE o.group_id = g.id)
                               LIMIT $1) AS delayed)
  FROM outbox_group g
 WHERE $2 IS NULL OR g.name = $2
 ORDER BY g.name
