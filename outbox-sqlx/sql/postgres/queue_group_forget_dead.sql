-- Removes a group's dead letters in a topic. Safe: a step of one transaction, under the group's lock.
DELETE FROM outbox_group_dead
 WHERE group_id = $1
   AND queue_id IN (SELECT id FROM outbox_queue WHERE topic_id = $2)
