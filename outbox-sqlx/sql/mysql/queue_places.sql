-- Locks a topic's queues; then reads them, and where the group is in each. Safe: the share lock keeps retention and appending
-- from moving the ends until the transaction ends, and what is read was committed before it was had. In the order in which
-- appending locks.
SELECT id FROM outbox_queue FORCE INDEX (outbox_queue_number) WHERE topic_id = ?2 ORDER BY number LOCK IN SHARE MODE;
SELECT q.id, q.parent_id, q.split_offset, q.first_offset, q.next_offset, g.read_offset
  FROM outbox_queue q
  LEFT JOIN outbox_group_queue g ON g.queue_id = q.id AND g.group_id = ?1
 WHERE q.topic_id = ?2
 ORDER BY q.id
