-- Removes a group's retries in a topic. Safe: a step of one transaction, under the group's lock. The queues' rows are
-- locked in share mode, in the order in which appending locks.
DELETE d
  FROM outbox_queue q FORCE INDEX (outbox_queue_number)
 STRAIGHT_JOIN outbox_group_retry d FORCE INDEX (PRIMARY) ON d.group_id = ?1 AND d.queue_id = q.id
 WHERE q.topic_id = ?2
