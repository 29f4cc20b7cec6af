-- The queues that were split off from one, and that the group has not opened yet. Safe: reads only.
SELECT q.id::bigint, q.number::bigint, q.split_offset, q.siblings::bigint, t.initial_queues::bigint
  FROM outbox_queue q
  JOIN outbox_topic t ON t.id = q.topic_id
  JOIN outbox_group_queue g ON g.queue_id = q.id AND g.group_id = $1
 WHERE q.parent_id = $2
   AND g.waits
 ORDER BY q.id
