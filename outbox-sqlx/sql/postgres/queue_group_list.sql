-- All groups with what they have still to do, for people. Safe: reads only; retries and dead letters are counted up to
-- $1 of each group.
SELECT g.name, g.paused,
       (SELECT count(*) FROM outbox_group_member m WHERE m.group_id = g.id AND m.lease_until >= clock_timestamp()),
       (extract(epoch FROM g.seen_at) * 1000000)::bigint,
       coalesce((SELECT sum(q.next_offset - o.read_offset)::bigint
                   FROM outbox_group_queue o JOIN outbox_queue q ON q.id = o.queue_id WHERE o.group_id = g.id), 0),
       (SELECT count(*) FROM (SELECT FROM outbox_group_retry r WHERE r.group_id = g.id LIMIT $1) AS retries),
       (SELECT count(*) FROM (SELECT FROM outbox_group_dead d WHERE d.group_id = g.id LIMIT $1) AS dead),
       (SELECT count(*) FROM (SELECT FROM outbox_delayed w
                               WHERE w.topic_id IN (SELECT q.topic_id FROM outbox_group_queue o
                                                      JOIN outbox_queue q ON q.id = o.queue_id WHERE o.group_id = g.id)
                               LIMIT $1) AS delayed)
  FROM outbox_group g
 WHERE $2::text IS NULL OR g.name = $2
 ORDER BY g.name
