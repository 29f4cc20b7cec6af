-- Each queue with its topic's retention (microseconds, or none), its ends, and the place of the group that is furthest
-- behind, by name. Safe: reads only.
SELECT q.id::bigint, t.name, t.retention, q.first_offset, q.next_offset, low.read_offset, low.name
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
