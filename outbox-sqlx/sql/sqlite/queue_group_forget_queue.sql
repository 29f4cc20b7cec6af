-- Removes a group's places in a topic. Safe: a step of one transaction, under the group's lock.
DELETE FROM outbox_group_queue
 WHERE group_id = $1
   AND queue_id IN (SELECT id FROM outbox_queue WHERE topic_id = $2)
