-- Each queue with its topic's retention (microseconds, or none), its ends, the place of the group that is furthest behind,
-- that group's name, and whether the message there is older than the retention, or than $1. Safe: reads only.
SELECT q.id::bigint, t.name, t.retention, q.first_offset, q.next_offset, low.read_offset, low.name,
       coalesce((SELECT m.appended_at <= clock_timestamp() - coalesce(t.retention, $1) * interval '1 microsecond'
                   FROM outbox_queue_message m
                  WHERE m.queue_id = q.id AND m.queue_offset >= low.read_offset
                  ORDER BY m.queue_offset
                  LIMIT 1), false)
  FROM outbox_queue q
  JOIN outbox_topic t ON t.id = q.topic_id
  LEFT JOIN LATERAL (SELECT o.read_offset, g.name
                       FROM outbox_group_queue o
                       JOIN outbox_group g ON g.id = o.group_id
                      WHERE o.queue_id = q.id
                      ORDER BY o.read_offset
                      LIMIT 1) AS low ON true
 WHERE q.first_offset < q.next_offset
 ORDER BY q.id
