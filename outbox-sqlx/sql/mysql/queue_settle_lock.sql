-- The fence: which of these [queue, epoch] pairs are still so. Who takes one over waits until this transaction ends.
-- Safe against deadlock: the list is in the order of the queues, and that is the order of the locks. (In parentheses,
-- because MySQL 9 can't lock what a function returns.)
SELECT g.queue_id
  FROM (SELECT queue_id, epoch
          FROM JSON_TABLE(?2, '$[*]' COLUMNS (queue_id INT PATH '$[0]', epoch BIGINT PATH '$[1]')) AS list) AS e
 STRAIGHT_JOIN outbox_group_queue g FORCE INDEX (PRIMARY) ON g.group_id = ?1 AND g.queue_id = e.queue_id
 WHERE g.epoch = e.epoch
   FOR UPDATE
