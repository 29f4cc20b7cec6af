-- Moves the group's places: [queue, epoch, offset, recovered]. Safe: only under the epoch, and never back; in the order of
-- the list, which is that of the queues.
UPDATE JSON_TABLE(?2, '$[*]' COLUMNS (queue_id INT PATH '$[0]', epoch BIGINT PATH '$[1]', place BIGINT PATH '$[2]',
                                      recovered BOOLEAN PATH '$[3]')) AS e
 STRAIGHT_JOIN outbox_group_queue g FORCE INDEX (PRIMARY) ON g.group_id = ?1 AND g.queue_id = e.queue_id
   SET g.read_offset = GREATEST(g.read_offset, e.place),
       g.deaths = CASE WHEN e.recovered THEN 0 ELSE g.deaths END
 WHERE g.epoch = e.epoch
