-- Each queue with its topic's retention (microseconds, or none), its ends, the place of the group that is furthest behind,
-- that group's name, and whether the message there is older than the retention, or than ?1. Safe: reads only.
SELECT q.id, t.name, t.retention, q.first_offset, q.next_offset, low.read_offset, g.name,
       COALESCE((SELECT m.appended_at <= UTC_TIMESTAMP(6) - INTERVAL COALESCE(t.retention, ?1) MICROSECOND
                   FROM outbox_queue_message m
                  WHERE m.queue_id = q.id AND m.queue_offset = low.read_offset), 0)
  FROM outbox_queue q
  JOIN outbox_topic t ON t.id = q.topic_id
  LEFT JOIN outbox_group_queue low
    ON low.queue_id = q.id
   AND low.group_id = (SELECT o.group_id FROM outbox_group_queue o WHERE o.queue_id = q.id
                        ORDER BY o.read_offset LIMIT 1)
  LEFT JOIN outbox_group g ON g.id = low.group_id
 WHERE q.first_offset < q.next_offset
 ORDER BY q.id
