-- The fence: which of these [queue, epoch] pairs are still so. Who takes one over waits until this transaction ends.
-- Safe against deadlock: the list is in the order of the queues, and that is the order of the locks. (MySQL wants to be told
-- that the list itself is not to be locked; MariaDB doesn't know how.)
SELECT g.queue_id
  FROM JSON_TABLE(?2, '$[*]' COLUMNS (queue_id INT PATH '$[0]', epoch BIGINT PATH '$[1]')) AS e
 STRAIGHT_JOIN outbox_group_queue g FORCE INDEX (PRIMARY) ON g.group_id = ?1 AND g.queue_id = e.queue_id
 WHERE g.epoch = e.epoch
  /*!80000 FOR UPDATE OF g */ /*M! FOR UPDATE */
