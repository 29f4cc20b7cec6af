-- Removes a group's retries in a topic. Safe: a step of one transaction, under the group's lock. (Of the queues it locks
-- entries of an index that appending does not change.)
DELETE d
  FROM outbox_queue q FORCE INDEX (outbox_queue_number)
 STRAIGHT_JOIN outbox_group_retry d ON d.group_id = ?1 AND d.queue_id = q.id
 WHERE q.topic_id = ?2
