-- A topic's queues, and where the group is in each. Safe: the share lock keeps retention and appending from moving the
-- ends until the transaction ends.
SELECT q.id::bigint, q.parent_id::bigint, q.split_offset, q.first_offset, q.next_offset, g.read_offset
  FROM outbox_queue q
  LEFT JOIN outbox_group_queue g ON g.queue_id = q.id AND g.group_id = $1
 WHERE q.topic_id = $2
 ORDER BY q.id
   FOR SHARE OF q
