-- Gives queues back, as [queue, epoch] pairs. Safe: only under the epoch they were taken under.
UPDATE JSON_TABLE(?2, '$[*]' COLUMNS (queue_id INT PATH '$[0]', epoch BIGINT PATH '$[1]')) AS e
 STRAIGHT_JOIN outbox_group_queue g FORCE INDEX (PRIMARY) ON g.group_id = ?1 AND g.queue_id = e.queue_id AND g.epoch = e.epoch
   SET g.owner = NULL
